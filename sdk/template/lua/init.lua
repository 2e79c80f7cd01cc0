-- A connector for the API of ... Try it:  sluice connector describe ./connectors/myapi
return sluice.connector {
  name = "myapi", version = "0.1.0", title = "My API",

  config = {
    base_url = { type = "string", default = "https://api.example.com", title = "API base URL" },
    api_key  = { type = "string", secret = true, required = true, title = "API key" },
    start    = { type = "timestamp", default = "2024-01-01T00:00:00Z", title = "Load what changed since" },
  },

  http = {
    base = "{{config.base_url}}",
    auth = { kind = "bearer", token = "{{config.api_key}}" },
    rate_limit = { requests = 10, per = "1s" },
  },

  check = { path = "/me" },

  streams = {
    orders = {
      path = "/orders", records = "data", primary_key = "id",
      pages  = { kind = "page", param = "page", start = 1, size = 100, size_param = "per_page", stop = "short" },
      cursor = { field = "updated_at", param = "updated_after", start = "{{config.start}}" },
      fields = { id = "string", total = "decimal", created_at = "timestamp", updated_at = "timestamp" },
    },
  },
}
