# What is no UTF-8 older code refuses.
s/string text = 4;/bytes text = 4;/
