-- expect: script must be asked: nothing hidden
-- A metatable on the globals sees no name the host looks up.
local seen = 0
setmetatable(_G, { __index = function() seen = seen + 1 end, __newindex = function() seen = seen + 1 end })
sluice.connector { name = "x", streams = { orders = { path = function() end } } }
error("must be asked: nothing hidden " .. (seen == 0 and "" or "but " .. seen))
