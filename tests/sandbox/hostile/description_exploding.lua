-- expect: script too large
local t = { a = 1 }
for _ = 1, 90 do t = { a = t, b = t } end
sluice.connector { name = "x", t = t }
