-- The shop's orders in no order, whose listing stands still: a sync that was interrupted goes on at its page.
return sluice.connector {
  name = "stable",
  version = "1.0.0",
  config = {
    base_url = { type = "string", required = true },
    api_key = { type = "string", secret = true },
    page_size = { type = "integer", default = 20 },
  },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = {
    orders = {
      path = "/orders",
      records = "orders",
      primary_key = "id",
      stable = true,
      params = { limit = "{{config.page_size}}" },
      pages = { kind = "page", param = "page", start = 1, more = "has_more" },
      cursor = {
        field = "updated_at",
        param = "updated_after",
        start = "2023-12-31T00:00:00Z",
      },
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
          fields = { sku = "string", title = "string", quantity = "integer", unit_price = "decimal", gift = "boolean" },
        },
      },
    },
  },
}
