-- The shop API: orders, customers and order events, in the three dialects it is spoken in. Data only, no functions.

-- How a listing goes on, and where its records are, differ by dialect; the streams are the same.
local pages = sluice.select("mode", {
  a = { kind = "page", param = "page", start = 1, more = "has_more" },
  b = { kind = "cursor", param = "page_token", next = "next_page_token" },
  c = { kind = "cursor", param = "cursor", next = "next_cursor" },
})

-- Asked to sort, the shop lists by (cursor, id), so a sync may remember how far it came before it is done.
local params = sluice.select("sorted", {
  ["true"] = { limit = "{{config.page_size}}", sort = "updated_at" },
  ["false"] = { limit = "{{config.page_size}}" },
})
local order = sluice.select("sorted", { ["true"] = "ascending", ["false"] = "unknown" })

-- `updated_after` is strict, and neighbours share a second: what came late or with an equal time is read again this far back.
local lookback = sluice.select("lookback", { ["0s"] = "0s", ["1m"] = "1m", ["5m"] = "5m", ["1h"] = "1h", ["1d"] = "1d" })

return sluice.connector {
  name = "shop",
  version = "1.0.0",
  title = "Shop",

  config = {
    base_url = { type = "string", required = true, title = "API base URL, without the dialect" },
    mode = { type = "enum", values = { "a", "b", "c" }, default = "a", title = "Dialect of the API" },
    auth = { type = "enum", values = { "api_key", "signed" }, default = "api_key", title = "The key itself, or tokens for signed calls" },
    api_key = { type = "string", secret = true, required = true, title = "API key" },
    api_secret = { type = "string", secret = true, title = "Secret that signs token calls (auth: signed)" },
    sign_body = { type = "boolean", default = false, title = "The signature covers the body; the shop's own sample leaves it out" },
    start = { type = "timestamp", default = "2024-01-01T00:00:00Z", title = "First sync: records changed after this" },
    sorted = { type = "boolean", default = true, title = "Ask for records in the order of their change" },
    lookback = { type = "enum", values = { "0s", "1m", "5m", "1h", "1d" }, default = "5m", title = "Read again this far back" },
    page_size = { type = "integer", default = 1000, title = "Records per page, at most 1000" },
  },

  http = {
    base = "{{config.base_url}}/{{config.mode}}",
    auth = sluice.select("auth", {
      api_key = { kind = "bearer", token = "{{config.api_key}}" },
      signed = {
        kind = "oauth2",
        grant = "client_credentials",
        token_url = "/auth/token",
        body = "json",
        sign = {
          key = "{{config.api_secret}}",
          message = "{{sign.timestamp}}{{sign.method}}{{sign.path}}{{sign.body}}",
          headers = {
            ["API-Key"] = "{{config.api_key}}",
            ["API-Timestamp"] = "{{sign.timestamp}}",
            ["API-Signature"] = "{{sign.signature}}",
          },
          sign_body = sluice.select("sign_body", { ["true"] = true, ["false"] = false }),
        },
      },
    }),
    rate_limit = { requests = 10, per = "1s", burst = 100 },
  },

  check = { path = "/health" },

  streams = {
    orders = {
      path = "/orders",
      params = params,
      pages = pages,
      records = sluice.select("mode", { a = "orders", b = "records", c = "orders" }),
      primary_key = "id",
      cursor = { field = "updated_at", param = "updated_after", start = "{{config.start}}", lookback = lookback, order = order },
      fields = {
        id = "string",
        customer_id = "string",
        total_amount = "decimal",
        status = "string",
        created_at = "timestamp",
        updated_at = "timestamp",
        items = "json",
        shipping = "json",
      },
      explode = {
        order_items = {
          path = "items",
          copy = { order_id = "id", order_updated_at = "updated_at" },
          position = "line",
          primary_key = { "order_id", "line" },
          fields = {
            sku = "string",
            title = "string",
            quantity = "integer",
            unit_price = "decimal",
            gift = "boolean",
          },
        },
      },
    },

    customers = {
      path = "/customers",
      params = params,
      pages = pages,
      records = sluice.select("mode", { a = "customers", b = "records", c = "customers" }),
      primary_key = "id",
      cursor = { field = "updated_at", param = "updated_after", start = "{{config.start}}", lookback = lookback, order = order },
      fields = {
        id = "string",
        email = "string",
        name = "string",
        created_at = "timestamp",
        updated_at = "timestamp",
      },
    },

    order_events = {
      path = "/order_events",
      params = params,
      pages = pages,
      records = sluice.select("mode", { a = "order_events", b = "records", c = "order_events" }),
      primary_key = "event_id",
      sync_modes = { "incremental" }, -- events are facts: they are added, never changed
      cursor = { field = "timestamp", param = "updated_after", start = "{{config.start}}", lookback = lookback, order = order },
      fields = {
        event_id = "string",
        order_id = "string",
        event_type = "string",
        timestamp = "timestamp",
        properties = "json",
      },
    },
  },
}
