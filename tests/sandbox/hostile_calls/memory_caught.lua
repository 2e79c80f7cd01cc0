-- expect: memory ran out of memory and went on
-- Out of memory, caught, and a record that may be half done.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  if record.id == 1 then pcall(function() return ("x"):rep(9 << 20) .. "y" end) end
  return record
end } } }
