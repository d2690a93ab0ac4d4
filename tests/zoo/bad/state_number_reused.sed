# A number that an earlier schema has used and given up.
s/reserved 20;/int32 again = 20;/
