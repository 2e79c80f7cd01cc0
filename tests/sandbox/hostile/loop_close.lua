-- expect: deadline time limit
local closing = setmetatable({}, { __close = function() while true do end end })
pcall(function() local x <close> = closing; error("unwind") end)
