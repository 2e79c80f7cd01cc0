-- expect: script
-- A comparator that takes the table away from under its sort.
local t = {}
for i = 1, 100000 do t[i] = i end
table.sort(t, function(a, b) for i = 1, #t do t[i] = nil end return a < b end)
