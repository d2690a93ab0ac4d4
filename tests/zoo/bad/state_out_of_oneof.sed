# Older code clears it when it sets the other.
s/string other = 9;//
s/string beside = 10;/string beside = 10; string other = 9;/
