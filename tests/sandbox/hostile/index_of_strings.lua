-- expect: script attempt to index a boolean value
getmetatable("").__index = function() return "poisoned" end
