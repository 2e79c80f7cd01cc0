-- expect: script map must return records, not a function
-- A function in a record's place.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  return function() end
end } } }
