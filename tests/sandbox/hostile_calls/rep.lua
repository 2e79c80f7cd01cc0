-- expect: script streams.orders.map: record 1 of the page: init.lua:4: string.rep gives at most 16 MiB
-- A text of 2^60 bytes.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  return { id = ("x"):rep(1 << 60) }
end } } }
