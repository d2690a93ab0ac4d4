# Stored numbers do not fit any more.
s/int64 large = 2;/int32 large = 2;/
