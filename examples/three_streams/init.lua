-- A whole connector: three streams, authenticated, paged, incremental, within a rate limit, in 40 lines and without a function.
local cursor = { field = "updated_at", param = "updated_after", start = "{{config.start}}", lookback = "5m", order = "ascending" }
local pages = { kind = "page", param = "page", start = 1, more = "has_more" }
local params = { limit = 100, sort = "updated_at" }

return sluice.connector {
  name = "three_streams", version = "1.0.0", title = "Orders, customers and events of the shop",

  config = {
    base_url = { type = "string", required = true, title = "API base URL" },
    api_key = { type = "string", secret = true, required = true, title = "API key" },
    start = { type = "timestamp", default = "2024-01-01T00:00:00Z", title = "Load what changed since" },
  },

  http = {
    base = "{{config.base_url}}/a",
    auth = { kind = "bearer", token = "{{config.api_key}}" },
    rate_limit = { requests = 10, per = "1s", burst = 100 },
  },

  check = { path = "/health" },

  streams = {
    orders = {
      path = "/orders", records = "orders", primary_key = "id", params = params, pages = pages, cursor = cursor,
      fields = { id = "string", customer_id = "string", total_amount = "decimal", status = "string",
                 created_at = "timestamp", updated_at = "timestamp", items = "json", shipping = "json" },
    },
    customers = {
      path = "/customers", records = "customers", primary_key = "id", params = params, pages = pages, cursor = cursor,
      fields = { id = "string", email = "string", name = "string", created_at = "timestamp", updated_at = "timestamp" },
    },
    order_events = {
      path = "/order_events", records = "order_events", primary_key = "event_id", params = params, pages = pages,
      cursor = { field = "timestamp", param = "updated_after", start = "{{config.start}}", lookback = "5m", order = "ascending" },
      fields = { event_id = "string", order_id = "string", event_type = "string", timestamp = "timestamp", properties = "json" },
    },
  },
}
