-- expect: memory|script
local part = ("x"):rep(8 << 20)
local parts = {}
for i = 1, 64 do parts[i] = part end
return table.concat(parts)
