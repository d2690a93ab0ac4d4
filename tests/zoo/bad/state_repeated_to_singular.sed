# All but the last one are lost.
s/repeated int32 list = 6;/int32 list = 6;/
