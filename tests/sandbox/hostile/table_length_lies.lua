-- expect: deadline|script|memory
-- Lengths that are a lie, for everything that asks for one.
local liar = setmetatable({}, { __len = function() return 1 << 60 end, __index = function() return "x" end })
pcall(table.concat, liar)
pcall(table.unpack, liar)
pcall(table.sort, liar)
pcall(table.remove, liar, 1)
error("unreachable within the time limit")
