-- expect: script must be asked: the host's own
-- Replacing every global does not replace what the host itself uses.
local fail, describe, globals = error, sluice.connector, _G
for name in pairs(globals) do globals[name] = function() while true do end end end
describe { name = "x", streams = { orders = { path = function() end } } }
fail("must be asked: the host's own")
