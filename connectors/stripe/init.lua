-- Stripe: each object is listed once, and kept up by the events about it. Data only: the functions below run once, when this file is read.

local AT = { type = "timestamp", format = "epoch" }
local TEXT, WHOLE, FLAG, ANY = "string", "integer", "boolean", "json"

-- Lists are newest first and go on behind the last record.
local function pages(more)
  local made = { kind = "last_record", field = "id", param = "starting_after", more = "has_more", size = 100, size_param = "limit" }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

local function with_all(fields)
  local made = { id = TEXT, object = TEXT, created = AT, livemode = FLAG, metadata = ANY }
  for name, kind in pairs(fields) do made[name] = kind end
  return made
end

-- A parent that was deleted since it was listed.
local GONE = { { status = 404, path = "error.code", equals = "resource_missing", action = "skip_slice" } }

-- An object: the events that bring a new version of it, the one that ends it, and fields that are always there. Amounts are whole minor units,
-- as Stripe sends them.
local function object(path, of)
  local fields = with_all(of.fields)
  fields.changed_at = "timestamp"
  local types = {}
  for _, name in ipairs(of.events) do types[#types + 1] = of.prefix .. "." .. name end
  if of.deleted then types[#types + 1] = of.deleted end
  return {
    path = "/v1/" .. path, params = of.params, records = "data", primary_key = "id",
    pages = pages(),
    cursor = {
      kind = "event_feed", field = "changed_at", format = "epoch", retention = "30d",
      events = {
        path = "/v1/events", params = { ["types[]"] = types }, records = "data",
        pages = pages(),
        param = "created[gte]", record = "data.object", time = "created",
        deleted = of.deleted and { path = "type", equals = of.deleted } or nil,
      },
    },
    fields = fields,
  }
end

-- What tells of no change, or not of each: what is new is asked for by when it was made, and what may have changed since is read again.
local function facts(path, lookback, fields, more)
  local stream = {
    path = "/v1/" .. path, records = "data", primary_key = "id",
    pages = pages(),
    cursor = { field = "created", format = "epoch", param = "created[gte]", until_param = "created[lte]", start = "{{config.start}}", lookback = lookback },
    fields = with_all(fields),
  }
  for key, value in pairs(more or {}) do stream[key] = value end
  return stream
end

return sluice.connector {
  name = "stripe",
  version = "1.0.0",
  title = "Stripe",

  config = {
    base_url = { type = "string", default = "https://api.stripe.com", title = "API base URL" },
    api_key = { type = "string", secret = true, required = true, title = "A restricted key that may read, or a secret key" },
    account = { type = "string", title = "A connected account (acct_..) to read in place of the key's own" },
    api_version = { type = "string", default = "2024-06-20", title = "Stripe-Version: the shape of what is listed" },
    start = { type = "timestamp", default = "2011-01-01T00:00:00Z", title = "Refunds, balance transactions and events: those made since" },
  },

  http = {
    base = "{{config.base_url}}",
    headers = { ["Stripe-Version"] = "{{config.api_version}}", ["Stripe-Account"] = "{{config.account}}" },
    auth = { kind = "bearer", token = "{{config.api_key}}" },
    rate_limit = { requests = 20, per = "1s" }, -- of 100 in live mode, 25 in a sandbox, which the account's own systems need, too
    errors = {
      { status = 429, path = "error.code", equals = "lock_timeout", action = "retry" },
      { status = 429, action = "rate_limited", wait = "1s" },
      { status = 409, action = "retry" },
      { status = 403, action = "skip_stream" }, -- a restricted key without that permission
      { status = 404, path = "error.message", contains = "Unrecognized request URL", action = "skip_stream" }, -- a product that the account does not have
    },
  },

  check = { path = "/v1/events", params = { limit = 1 } },

  streams = {
    customers = object("customers", {
      prefix = "customer", events = { "created", "updated" }, deleted = "customer.deleted",
      fields = { email = TEXT, name = TEXT, phone = TEXT, description = TEXT, balance = WHOLE, currency = TEXT, delinquent = FLAG, address = ANY, shipping = ANY },
    }),
    charges = object("charges", {
      prefix = "charge", events = { "captured", "expired", "failed", "pending", "refunded", "succeeded", "updated" },
      fields = {
        amount = WHOLE, amount_captured = WHOLE, amount_refunded = WHOLE, currency = TEXT, status = TEXT, paid = FLAG, refunded = FLAG, captured = FLAG,
        disputed = FLAG, customer = TEXT, invoice = TEXT, payment_intent = TEXT, balance_transaction = TEXT, failure_code = TEXT, failure_message = TEXT,
        billing_details = ANY, payment_method_details = ANY, outcome = ANY,
      },
    }),
    payment_intents = object("payment_intents", {
      prefix = "payment_intent",
      events = { "amount_capturable_updated", "canceled", "created", "partially_funded", "payment_failed", "processing", "requires_action", "succeeded" },
      fields = {
        amount = WHOLE, amount_received = WHOLE, currency = TEXT, status = TEXT, customer = TEXT, invoice = TEXT, latest_charge = TEXT,
        payment_method = TEXT, canceled_at = AT, cancellation_reason = TEXT,
      },
    }),
    invoices = object("invoices", {
      prefix = "invoice", deleted = "invoice.deleted",
      events = {
        "created", "finalization_failed", "finalized", "marked_uncollectible", "overdue", "paid", "payment_action_required", "payment_failed",
        "payment_succeeded", "sent", "updated", "voided", "will_be_due",
      },
      fields = {
        number = TEXT, status = TEXT, customer = TEXT, subscription = TEXT, charge = TEXT, payment_intent = TEXT, currency = TEXT, subtotal = WHOLE, tax = WHOLE,
        total = WHOLE, amount_due = WHOLE, amount_paid = WHOLE, amount_remaining = WHOLE, period_start = AT, period_end = AT, due_date = AT, paid = FLAG,
        lines = ANY,
      },
    }),
    -- Ten lines come with an invoice, in its column `lines`. All of them cost a request for each invoice.
    invoice_lines = {
      path = "/v1/invoices/{{parent.id}}/lines", records = "data", primary_key = { "invoice_id", "id" }, sync_modes = "full_refresh",
      parent = { stream = "invoices", copy = { invoice_id = "id" } },
      pages = pages(), errors = GONE,
      fields = {
        id = TEXT, object = TEXT, amount = WHOLE, currency = TEXT, description = TEXT, quantity = WHOLE, price = ANY, period = ANY, proration = FLAG,
        subscription = TEXT, metadata = ANY,
      },
    },
    invoice_items = object("invoiceitems", {
      prefix = "invoiceitem", events = { "created", "updated" }, deleted = "invoiceitem.deleted",
      fields = { date = AT, amount = WHOLE, currency = TEXT, customer = TEXT, invoice = TEXT, description = TEXT, quantity = WHOLE, price = ANY, period = ANY },
    }),
    credit_notes = object("credit_notes", {
      prefix = "credit_note", events = { "created", "updated", "voided" },
      fields = { number = TEXT, status = TEXT, customer = TEXT, invoice = TEXT, amount = WHOLE, currency = TEXT, reason = TEXT, total = WHOLE },
    }),
    subscriptions = object("subscriptions", {
      params = { status = "all" },
      prefix = "customer.subscription",
      events = {
        "created", "deleted", "paused", "pending_update_applied", "pending_update_expired", "resumed", "trial_will_end", "updated", -- deleted: it is canceled
      },
      fields = {
        status = TEXT, customer = TEXT, currency = TEXT, current_period_start = AT, current_period_end = AT, start_date = AT, trial_start = AT,
        trial_end = AT, cancel_at = AT, canceled_at = AT, cancel_at_period_end = FLAG, ended_at = AT, latest_invoice = TEXT, items = ANY, discount = ANY,
      },
    }),
    -- Likewise: ten come with a subscription, in `items`.
    subscription_items = {
      path = "/v1/subscription_items", params = { subscription = "{{parent.id}}" }, records = "data", primary_key = "id", sync_modes = "full_refresh",
      parent = { stream = "subscriptions", copy = { subscription_id = "id" } },
      pages = pages(), errors = GONE,
      fields = { id = TEXT, object = TEXT, created = AT, quantity = WHOLE, price = ANY, current_period_start = AT, current_period_end = AT, metadata = ANY },
    },
    products = object("products", {
      prefix = "product", events = { "created", "updated" }, deleted = "product.deleted",
      fields = { name = TEXT, description = TEXT, active = FLAG, default_price = TEXT, updated = AT, type = TEXT },
    }),
    prices = object("prices", {
      prefix = "price", events = { "created", "updated" }, deleted = "price.deleted",
      fields = { product = TEXT, active = FLAG, currency = TEXT, unit_amount = WHOLE, unit_amount_decimal = "decimal", type = TEXT, nickname = TEXT, recurring = ANY },
    }),
    coupons = object("coupons", {
      prefix = "coupon", events = { "created", "updated" }, deleted = "coupon.deleted",
      fields = { name = TEXT, amount_off = WHOLE, percent_off = "decimal", currency = TEXT, duration = TEXT, valid = FLAG, times_redeemed = WHOLE },
    }),
    -- Events about the refund of a charge are for accounts with API version 2024-10-28 and newer only. A refund fails within 30 days, or not at all.
    refunds = facts("refunds", "30d", {
      amount = WHOLE, currency = TEXT, charge = TEXT, payment_intent = TEXT, reason = TEXT, status = TEXT, balance_transaction = TEXT,
      failure_reason = TEXT,
    }),
    disputes = object("disputes", {
      prefix = "charge.dispute", events = { "closed", "created", "funds_reinstated", "funds_withdrawn", "updated" },
      fields = { amount = WHOLE, currency = TEXT, charge = TEXT, payment_intent = TEXT, reason = TEXT, status = TEXT, evidence_details = ANY },
    }),
    payouts = object("payouts", {
      prefix = "payout", events = { "canceled", "created", "failed", "paid", "reconciliation_completed", "updated" },
      fields = { amount = WHOLE, currency = TEXT, arrival_date = AT, automatic = FLAG, status = TEXT, method = TEXT, balance_transaction = TEXT, failure_code = TEXT },
    }),
    balance_transactions = facts("balance_transactions", "7d", { -- pending ones become available within days
      amount = WHOLE, fee = WHOLE, net = WHOLE, currency = TEXT, type = TEXT, source = TEXT, status = TEXT, available_on = AT, exchange_rate = "decimal",
      description = TEXT, reporting_category = TEXT, fee_details = ANY,
    }),
    events = facts("events", "5m", { type = TEXT, api_version = TEXT, data = ANY, request = ANY, pending_webhooks = WHOLE }, { sync_modes = "incremental" }),
  },
}
