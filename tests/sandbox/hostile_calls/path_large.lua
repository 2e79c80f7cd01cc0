-- expect: memory streams.orders.path: not enough memory
-- A path of 17 MiB.
sluice.connector { name = "x", streams = { orders = { path = function(ctx)
  return { ("x"):rep(9 << 20), ("y"):rep(1 << 20):rep(9) }
end } } }
