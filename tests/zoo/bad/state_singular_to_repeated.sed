# Older code keeps the last one only.
s/string text = 4;/repeated string text = 4;/
