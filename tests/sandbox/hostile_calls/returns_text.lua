-- expect: script map must return records, not a string
-- A text in a record's place.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  return "id=1"
end } } }
