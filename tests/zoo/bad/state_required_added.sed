# States of before do not have it.
s/required string name = 2;/required string name = 2; required int32 more = 3;/
