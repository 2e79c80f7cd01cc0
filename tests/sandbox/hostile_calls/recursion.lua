-- expect: script|memory streams.orders.map
-- A million calls, one inside the other.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  local function deep(n) return 1 + deep(n + 1) end
  return { id = deep(1) }
end } } }
