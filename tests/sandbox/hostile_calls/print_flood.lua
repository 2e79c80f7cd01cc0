-- expect: deadline streams.orders.path
-- Printing without end.
sluice.connector { name = "x", streams = { orders = { path = function(ctx)
  while true do print(("x"):rep(100000)) end
end } } }
