-- expect: memory|script
-- A metamethod that asks itself.
local t
t = setmetatable({}, { __concat = function(a, b) return t .. b end })
return t .. "x"
