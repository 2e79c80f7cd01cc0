-- expect: script nested too deep
-- A record of ten thousand levels.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  local deep = {}
  for _ = 1, 10000 do deep = { deep } end
  return { id = 1, deep = deep }
end } } }
