# Every number but 0 and 1 is lost.
s/int32 number = 1;/bool number = 1;/
