-- expect: deadline streams.orders.map: init.lua
-- A loop that catches every error.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  while true do pcall(function() while true do end end) end
end } } }
