# What is no UTF-8 this code refuses.
s/bytes raw = 11;/string raw = 11;/
