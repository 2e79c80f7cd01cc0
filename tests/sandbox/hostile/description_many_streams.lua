-- expect: script too large
-- More streams than a description holds. (A million: tests/integration/test_hostile.py, by the program itself.)
local streams = {}
for i = 1, 60000 do streams["s" .. i] = { path = "/" } end
return sluice.connector { name = "x", streams = streams }
