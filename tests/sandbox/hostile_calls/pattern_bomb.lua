-- expect: deadline streams.orders.map: the script passed its time limit
-- One pattern match without end: one C call, no instruction at which to stop.
sluice.connector { name = "x", streams = { orders = { path = "/orders", map = function(record, ctx)
  string.find(("a"):rep(100000), ".-.-.-.-b")
end } } }
