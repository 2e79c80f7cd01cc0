-- The shop's orders, read in windows of time: slices.
return sluice.connector {
  name = "windows",
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
      params = { limit = "{{config.page_size}}", sort = "updated_at" },
      pages = { kind = "page", param = "page", start = 1, more = "has_more" },
      cursor = {
        field = "updated_at",
        param = "updated_after",
        until_param = "updated_before",
        bounds = "(]",
        step = "240d",
        start = "2023-12-31T00:00:00Z",
        order = "ascending",
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
