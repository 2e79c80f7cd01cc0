-- expect: deadline streams.orders.map: init.lua
-- A loop in a coroutine.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  coroutine.wrap(function() while true do end end)()
end } } }
