-- The shop's orders, read for each customer: parts that have a cursor each, and a parent.
return sluice.connector {
  name = "parts",
  version = "1.0.0",
  config = {
    base_url = { type = "string", required = true },
    api_key = { type = "string", secret = true },
    page_size = { type = "integer", default = 20 },
  },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = {
    customers = {
      path = "/customers",
      records = "customers",
      primary_key = "id",
      params = { limit = 4, sort = "updated_at" },
      pages = { kind = "page", param = "page", start = 1, more = "has_more" },
      cursor = { field = "updated_at", param = "updated_after", start = "2023-12-31T00:00:00Z", order = "ascending" },
      fields = {
        id = "string",
        email = "string",
        name = "string",
        created_at = "timestamp",
        updated_at = "timestamp",
      },
    },
    orders = {
      path = "/orders",
      parent = { stream = "customers" },
      records = "orders",
      primary_key = "id",
      params = { limit = "{{config.page_size}}", sort = "updated_at", customer_id = "{{parent.id}}" },
      pages = { kind = "page", param = "page", start = 1, more = "has_more" },
      cursor = {
        field = "updated_at",
        param = "updated_after",
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
    },
  },
}
