-- expect: script nested too deep
local t = {}
for _ = 1, 5000 do t = { t } end
sluice.connector { t = t }
