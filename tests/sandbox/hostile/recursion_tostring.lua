-- expect: script C stack overflow
-- tostring inside tostring, a million deep.
local t = setmetatable({}, { __tostring = function(self) return tostring(self) .. "x" end })
error(select(2, pcall(tostring, t)), 0)
