-- expect: deadline time limit
local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end, __len = function() while true do end end })
pcall(function() return t[1] end)
return #t
