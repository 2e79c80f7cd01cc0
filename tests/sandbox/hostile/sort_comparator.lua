-- expect: script must be asked
-- A comparator that contradicts itself, in a table of many: sort may fail or give nonsense, but stays inside the table.
local t, n = {}, 0
for i = 1, 200000 do t[i] = i end
for _ = 1, 3 do pcall(table.sort, t, function() n = n + 1 return n % 3 ~= 0 end) end
for i = 1, 200000 do assert(math.type(t[i]) == "integer") end
error("must be asked: " .. #t)
