# A number that has no name is kept in one syntax and set aside in the other.
s/int32 number = 1;/Kind number = 1;/
