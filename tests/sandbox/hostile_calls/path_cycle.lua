-- expect: script a table that holds itself
-- A cycle where a path is due.
sluice.connector { name = "x", streams = { orders = { path = function(ctx)
  local t = {}
  t[1] = t
  return t
end } } }
