-- expect: deadline streams.orders.path: init.lua:4
-- A loop where a path is due.
sluice.connector { name = "x", streams = { orders = { path = function(ctx)
  while true do end
end } } }
