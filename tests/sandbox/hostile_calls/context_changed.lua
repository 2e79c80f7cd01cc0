-- expect: script attempt to index a nil value
-- What a record's function does to its context ends with it.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  ctx.config = nil
  return { id = ctx.config.base_url }
end } } }
