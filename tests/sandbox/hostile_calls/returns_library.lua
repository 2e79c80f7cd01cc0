-- expect: script at all._G: a table that holds itself
-- The globals as a record.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  return { id = 1, all = _G }
end } } }
