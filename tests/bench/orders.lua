-- The benchmark's connector: static pages of orders, declared natively; `mode` chooses what happens to them on the way.
return sluice.connector {
  name = "bench_orders", version = "1.0.0", title = "Orders of the benchmark",
  config = { base_url = { type = "string", required = true } },
  http = { base = "{{config.base_url}}" },
  streams = {
    orders = {
      path = "/orders", records = "orders", primary_key = "id",
      pages = { kind = "page", param = "page", start = 1, more = "has_more" },
      fields = { id = "integer", customer_id = "string", total_amount = "decimal", status = "string", note = "string",
                 created_at = "timestamp", updated_at = "timestamp", items = "json", shipping = "json" },
    },
  },
}
