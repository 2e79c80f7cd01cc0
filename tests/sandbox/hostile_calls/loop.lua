-- expect: deadline streams.orders.map: init.lua:4: the script passed its time limit
-- An endless loop in map.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  while true do end
end } } }
