# Older code does not know that the new member has taken the place of the others.
s/string other = 9;/string other = 9; string third = 13;/
