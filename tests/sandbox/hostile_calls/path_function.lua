-- expect: script the result: a function
-- A function where a path is due.
sluice.connector { name = "x", streams = { orders = { path = function(ctx)
  return function() end
end } } }
