-- expect: script a table that holds itself
-- A record that holds itself by way of others.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  record.a = { b = { c = record } }
  return record
end } } }
