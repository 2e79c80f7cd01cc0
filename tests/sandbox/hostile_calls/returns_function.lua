-- expect: script at f: a function
-- A record with a function.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  record.f = print
  return record
end } } }
