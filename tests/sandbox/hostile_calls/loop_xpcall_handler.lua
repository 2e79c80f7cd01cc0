-- expect: deadline streams.orders.map: init.lua
-- A loop in the handler of an error.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  xpcall(error, function() while true do end end)
end } } }
