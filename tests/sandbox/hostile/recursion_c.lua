-- expect: script C stack overflow
local function deep() return (("x"):gsub("x", deep)) end
error("error: " .. tostring(select(2, pcall(deep))))
