-- expect: script the records of one page came to more than 16 MiB
-- A record that multiplies.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  local text = ("x"):rep(1 << 20)
  return { id = 1, t = text }, { id = 2, t = text }, { id = 3, t = text }, { id = 4, t = text }, { id = 5, t = text }, { id = 6, t = text }, { id = 7, t = text }, { id = 8, t = text }, { id = 9, t = text }, { id = 10, t = text }, { id = 11, t = text }, { id = 12, t = text }, { id = 13, t = text }, { id = 14, t = text }, { id = 15, t = text }, { id = 16, t = text }, { id = 17, t = text }
end } } }
