-- expect: deadline time limit
local function loop() while true do end end
xpcall(loop, loop)
while true do xpcall(error, loop) end
