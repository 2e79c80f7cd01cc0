-- expect: script '__index' chain too long
-- A million metatables, each asking the next: lookups go down in C.
local t = {}
for _ = 1, 1e5 do t = setmetatable({}, { __index = t }) end
return t.missing
