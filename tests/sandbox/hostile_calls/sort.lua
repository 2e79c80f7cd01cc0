-- expect: deadline streams.orders.map:
-- Sorting without end, by a comparator that contradicts itself.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  local t = {}
  for i = 1, 100000 do t[i] = i end
  while true do pcall(table.sort, t, function(a, b) return (a ~ b) % 3 == 0 end) end
end } } }
