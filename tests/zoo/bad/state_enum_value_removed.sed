# Its number is free for something else.
/SMALL = 1;/d
