# The other way round.
s/Kind kind = 5;/int32 kind = 5;/
