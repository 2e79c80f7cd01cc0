-- expect: deadline streams.orders.map
-- An error that loops when it is read.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  error(setmetatable({}, { __tostring = function() while true do end end }))
end } } }
