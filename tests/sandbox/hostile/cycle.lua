-- expect: script streams.orders.self: a table that holds itself
local orders = { path = "/orders" }
orders.self = orders
sluice.connector { name = "x", streams = { orders = orders } }
