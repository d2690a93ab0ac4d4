# Stored values mean the other one.
s/SMALL = 1;/LARGE = 1;/
s/LARGE = 2;/SMALL = 2;/
