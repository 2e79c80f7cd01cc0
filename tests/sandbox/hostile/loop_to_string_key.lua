-- expect: script|deadline
-- Metamethods inside what is described are not run while it is written.
local t = setmetatable({}, { __pairs = function() while true do end end, __index = function() while true do end end })
sluice.connector { name = "x", streams = t, title = function() end }
error("the description does not ask metamethods")
