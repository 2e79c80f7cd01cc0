-- expect: script must be asked: no close
-- A coroutine left with something to close: nothing closes it, so nothing of its runs.
local co = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield() end)
co()
co = nil
for i = 1, 1e5 do local _ = { i } end
error("must be asked: no close")
