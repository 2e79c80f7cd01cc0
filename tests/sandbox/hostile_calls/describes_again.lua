-- expect: script is called once
-- A second description from a function.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  sluice.connector { name = "y" }
end } } }
