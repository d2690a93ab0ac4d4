# Below zero everything is another number.
s/int32 number = 1;/uint32 number = 1;/
