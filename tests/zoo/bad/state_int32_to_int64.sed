# Older code would cut the number off.
s/int32 number = 1;/int64 number = 1;/
