# The keys are read as something else.
s/map<string, int64>/map<int64, int64>/
