-- expect: deadline|memory streams.orders.map
-- What is kept from record to record comes to an end, too.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  keep = keep or {}
  keep[#keep + 1] = ("x"):rep(4 << 20) .. #keep
  return record
end } } }
