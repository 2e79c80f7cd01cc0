-- expect: deadline streams.orders.map: init.lua
-- A loop while a value is closed, as an error passes.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  local x <close> = setmetatable({}, { __close = function() while true do end end })
  error("unwind")
end } } }
