# The values are read as something else.
s/map<string, int64>/map<string, string>/
