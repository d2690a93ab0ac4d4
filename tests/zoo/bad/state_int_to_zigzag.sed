# Every number is another one.
s/int32 number = 1;/sint32 number = 1;/
