# A State without the field changes its meaning.
s/default = 3/default = 4/
