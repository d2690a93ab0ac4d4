# Large numbers are below zero.
s/fixed64 place = 3;/sfixed64 place = 3;/
