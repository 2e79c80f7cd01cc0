-- expect: script at f: a value that is no data
-- A record with a coroutine.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  record.f = coroutine.create(print)
  return record
end } } }
