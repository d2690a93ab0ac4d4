# Older code refuses States without it.
s/required string name = 2;/optional string name = 2;/
