-- expect: script __gc is not allowed
-- A finalizer, which nothing could stop.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  setmetatable({}, { __gc = function() while true do end end })
end } } }
