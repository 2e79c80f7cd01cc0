-- expect: script C stack overflow
-- A million calls through C.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  local function deep() return (("x"):gsub("x", deep)) end
  return { id = deep() }
end } } }
