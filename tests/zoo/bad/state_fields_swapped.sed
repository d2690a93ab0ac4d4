# Two fields of one type have changed places.
s/string text = 4;/string beside = 4;/
s/string beside = 10;/string text = 10;/
