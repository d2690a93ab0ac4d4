# Setting one clears what was beside it.
/string beside = 10;/d
s/string one = 8;/string one = 8; string beside = 10;/
