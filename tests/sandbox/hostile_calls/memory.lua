-- expect: memory streams.orders.map
-- All the memory there is.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  local t = {}
  for i = 1, math.huge do t[i] = ("x"):rep(1000) .. i end
end } } }
