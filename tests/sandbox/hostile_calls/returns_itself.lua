-- expect: script at self: a table that holds itself
-- A record that holds itself.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  record.self = record
  return record
end } } }
