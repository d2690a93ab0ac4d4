# Its number is free for something else.
/string text = 4;/d
