-- HubSpot CRM: objects by search with the properties that each account has, those that are archived by list, associations, owners,
-- pipelines, lists, forms. Data only: the functions and loops below run once, when this file is read.

-- HubSpot dates its versions and keeps each for 18 months. What has none yet (forms, events of emails) is asked for by number, until September 2027.
local VERSION = "2026-03"
local OBJECTS = "/crm/objects/" .. VERSION .. "/"

-- What a property is as a column. HubSpot sends every value as a text.
local TEXT, NUMBER, FLAG, TIME = "string", "decimal", "boolean", "timestamp"

-- type -> properties that every account has, beside those that all types have; the account lists the others. `cursor`: the property that
-- says when it changed.
local types = {
  contacts = {
    cursor = "lastmodifieddate",
    properties = {
      email = TEXT, firstname = TEXT, lastname = TEXT, phone = TEXT, company = TEXT, jobtitle = TEXT, lifecyclestage = TEXT,
      hs_lead_status = TEXT, hs_calculated_merged_vids = TEXT,
    },
  },
  companies = {
    properties = {
      name = TEXT, domain = TEXT, phone = TEXT, industry = TEXT, city = TEXT, country = TEXT, lifecyclestage = TEXT,
      numberofemployees = NUMBER, annualrevenue = NUMBER,
    },
  },
  deals = {
    properties = {
      dealname = TEXT, amount = NUMBER, closedate = TIME, dealstage = TEXT, pipeline = TEXT, dealtype = TEXT, deal_currency_code = TEXT,
      hs_is_closed = FLAG, hs_is_closed_won = FLAG,
    },
  },
  tickets = {
    properties = {
      subject = TEXT, content = TEXT, hs_pipeline = TEXT, hs_pipeline_stage = TEXT, hs_ticket_priority = TEXT, closed_date = TIME,
    },
  },
  leads = { properties = { hs_lead_name = TEXT, hs_lead_type = TEXT, hs_lead_label = TEXT, hs_pipeline = TEXT, hs_pipeline_stage = TEXT } },
  calls = {
    properties = {
      hs_timestamp = TIME, hs_call_title = TEXT, hs_call_body = TEXT, hs_call_direction = TEXT, hs_call_status = TEXT, hs_call_duration = NUMBER,
    },
  },
  emails = {
    properties = { hs_timestamp = TIME, hs_email_subject = TEXT, hs_email_text = TEXT, hs_email_direction = TEXT, hs_email_status = TEXT },
  },
  meetings = {
    properties = {
      hs_timestamp = TIME, hs_meeting_title = TEXT, hs_meeting_body = TEXT, hs_meeting_outcome = TEXT, hs_meeting_start_time = TIME,
      hs_meeting_end_time = TIME,
    },
  },
  notes = { properties = { hs_timestamp = TIME, hs_note_body = TEXT } },
  tasks = {
    properties = { hs_timestamp = TIME, hs_task_subject = TEXT, hs_task_body = TEXT, hs_task_status = TEXT, hs_task_priority = TEXT },
  },
  products = { properties = { name = TEXT, description = TEXT, price = NUMBER, hs_sku = TEXT } },
  line_items = {
    properties = { name = TEXT, hs_product_id = TEXT, quantity = NUMBER, price = NUMBER, amount = NUMBER, hs_line_item_currency_code = TEXT },
  },
  quotes = { properties = { hs_title = TEXT, hs_status = TEXT, hs_quote_amount = NUMBER, hs_expiration_date = TIME } },
}

local function copy(from)
  local made = {}
  for name, value in pairs(from) do made[name] = value end
  return made
end

-- These lists are short and cannot be filtered: each sync reads them, and what is gone from them is gone from the table.
local streams = {
  owners = {
    path = "/crm/owners/" .. VERSION, records = "results", primary_key = "id", sync_modes = "full_refresh",
    partitions = { name = "archived", values = { "false", "true" } },
    params = { archived = "{{slice.archived}}" },
    pages = { kind = "cursor", param = "after", next = "paging.next.after", size = 500, size_param = "limit" },
    fields = {
      id = TEXT, email = TEXT, firstName = TEXT, lastName = TEXT, userId = "integer", createdAt = TIME, updatedAt = TIME, archived = FLAG,
      teams = "json",
    },
    undeclared = "drop",
  },
  lists = {
    path = "/crm/lists/" .. VERSION .. "/search", method = "POST", idempotent = true, records = "lists", primary_key = "listId", sync_modes = "full_refresh",
    pages = { kind = "offset", param = "offset", size = 250, size_param = "count", into = "body", more = "hasMore" },
    fields = { listId = TEXT, name = TEXT, processingType = TEXT, objectTypeId = TEXT, createdAt = TIME, updatedAt = TIME },
    undeclared = "drop",
  },
  list_memberships = {
    path = "/crm/lists/" .. VERSION .. "/{{parent.listId}}/memberships", records = "results", primary_key = { "listId", "recordId" }, sync_modes = "full_refresh",
    parent = { stream = "lists", copy = { listId = "listId" } },
    pages = { kind = "cursor", param = "after", next = "paging.next.after", size = 250, size_param = "limit" },
    fields = { recordId = TEXT, membershipTimestamp = TIME },
    undeclared = "drop",
  },
  forms = {
    path = "/marketing/v3/forms", records = "results", primary_key = "id", sync_modes = "full_refresh",
    pages = { kind = "cursor", param = "after", next = "paging.next.after", size = 100, size_param = "limit" },
    fields = { id = TEXT, name = TEXT, formType = TEXT, createdAt = TIME, updatedAt = TIME, archived = FLAG, fieldGroups = "json" },
    undeclared = "drop",
  },
  form_submissions = {
    path = "/form-integrations/v1/submissions/forms/{{parent.id}}", records = "results", primary_key = { "formId", "conversionId" },
    parent = { stream = "forms", copy = { formId = "id" } }, sync_modes = "incremental",
    pages = { kind = "cursor", param = "after", next = "paging.next.after", size = 50, size_param = "limit" },
    cursor = { kind = "client_side", field = "submittedAt", format = "epoch_ms", order = "descending", stop_early = true },
    fields = { conversionId = TEXT, submittedAt = TIME, pageUrl = TEXT, values = "json" },
    undeclared = "drop",
  },
  marketing_emails = {
    path = "/marketing/emails/" .. VERSION, records = "results", primary_key = "id", sync_modes = "full_refresh",
    params = { includeStats = true }, -- they change while nothing says so
    pages = { kind = "cursor", param = "after", next = "paging.next.after", size = 100, size_param = "limit" },
    fields = {
      id = TEXT, name = TEXT, subject = TEXT, type = TEXT, state = TEXT, isPublished = FLAG, campaign = TEXT, campaignName = TEXT, language = TEXT,
      createdAt = TIME, updatedAt = TIME, publishDate = TIME, archived = FLAG, from = "json", stats = "json",
    },
    undeclared = "drop",
  },
  email_campaign_ids = {
    path = "/email/public/v1/campaigns/by-id", records = "campaigns", primary_key = "id", internal = true,
    pages = { kind = "cursor", param = "offset", next = "offset", more = "hasMore", size = 1000, size_param = "limit" },
    fields = { id = "integer", appId = "integer", appName = TEXT },
    undeclared = "drop",
  },
  email_campaigns = {
    path = "/email/public/v1/campaigns/{{parent.id}}", primary_key = "id", sync_modes = "full_refresh",
    params = { appId = "{{parent.appId}}" },
    parent = { stream = "email_campaign_ids" },
    pages = { kind = "none" },
    fields = {
      id = "integer", appId = "integer", appName = TEXT, contentId = "integer", name = TEXT, subject = TEXT, type = TEXT, subType = TEXT,
      numIncluded = "integer", numQueued = "integer", counters = "json",
    },
    undeclared = "drop",
  },
  subscription_changes = {
    path = "/email/public/v1/subscriptions/timeline", records = "timeline", primary_key = { "timestamp", "portalId", "recipient" },
    sync_modes = "incremental",
    pages = { kind = "cursor", param = "offset", next = "offset", more = "hasMore", size = 1000, size_param = "limit" },
    cursor = {
      field = "timestamp", format = "epoch_ms", param = "startTimestamp", until_param = "endTimestamp", start = "{{config.start}}", lookback = "5m",
    },
    fields = { timestamp = TIME, portalId = "integer", recipient = TEXT, changes = "json" },
    undeclared = "drop",
  },
  email_events = {
    path = "/email/public/v1/events", records = "events", primary_key = "id", sync_modes = "incremental",
    pages = { kind = "cursor", param = "offset", next = "offset", more = "hasMore", size = 1000, size_param = "limit" },
    cursor = {
      field = "created", format = "epoch_ms", param = "startTimestamp", until_param = "endTimestamp", start = "{{config.start}}", lookback = "5m",
    },
    fields = {
      id = TEXT, created = TIME, type = TEXT, recipient = TEXT, portalId = "integer", appId = "integer", emailCampaignId = "integer", sentBy = "json",
    },
    undeclared = "drop",
  },
}

for _, object in ipairs { "deal", "ticket" } do
  streams[object .. "_pipelines"] = {
    path = "/crm/pipelines/" .. VERSION .. "/" .. object .. "s", records = "results", primary_key = "id", sync_modes = "full_refresh",
    pages = { kind = "none" },
    fields = { id = TEXT, label = TEXT, displayOrder = "integer", createdAt = TIME, updatedAt = TIME, archived = FLAG, stages = "json" },
    undeclared = "drop",
    explode = {
      [object .. "_pipeline_stages"] = {
        path = "stages", copy = { pipeline_id = "id" }, primary_key = { "pipeline_id", "id" },
        fields = { id = TEXT, label = TEXT, displayOrder = "integer", metadata = "json", createdAt = TIME, updatedAt = TIME, archived = FLAG },
        undeclared = "drop",
      },
    },
  }
end

-- What HubSpot calls the types of properties. A list of choices is a text with semicolons between.
local property_types = { number = NUMBER, bool = FLAG, date = "date", datetime = TIME }

-- The objects of a type, whose name in paths is `kind`.
--
-- Each page is a query of its own for the ids behind the last one. The ways that page by `after` lose records: what is changed or archived
-- meanwhile leaves the result, and all behind it move up. Nor does any query come near the cap of 10,000 this way.
local function found(kind, changed, properties)
  local fields = copy(properties)
  fields.id, fields.createdate, fields[changed], fields.hubspot_owner_id, fields.hs_merged_object_ids = TEXT, TIME, TIME, TEXT, TEXT
  return {
    path = OBJECTS .. kind .. "/search", method = "POST", idempotent = true, records = "results", primary_key = "id",
    body = {
      properties = "{{stream.fields | list}}",
      sorts = { { propertyName = "hs_object_id", direction = "ASCENDING" } },
      filterGroups = { { filters = {
        { propertyName = "hs_object_id", operator = "GT", value = "{{page.token}}" },
        { propertyName = changed, operator = "GTE", value = '{{cursor.from | format:"epoch_ms" | string}}' },
        { propertyName = changed, operator = "LTE", value = '{{cursor.until | format:"epoch_ms" | string}}' },
      } } },
    },
    pages = {
      kind = "last_record", field = "id", start = "0", more = "paging.next.after", stop = "short", size = 200, size_param = "limit", into = "body",
      stable = true,
    },
    cursor = { field = changed, start = "{{config.start}}", lookback = "5m" }, -- a change takes moments until search finds it
    flatten = { fields = { "properties" }, prefix = false },
    fields = fields,
    fields_from = { path = "/crm/properties/" .. VERSION .. "/" .. kind, records = "results", types = property_types },
    undeclared = "drop",
  }
end

for name, kind in pairs(types) do
  streams[name] = found(name, kind.cursor or "hs_lastmodifieddate", kind.properties)

  -- That they are gone, and since when: what they held is in the other stream.
  streams[name .. "_archived"] = {
    path = OBJECTS .. name, records = "results", primary_key = "id",
    params = { archived = true },
    pages = { kind = "cursor", param = "after", next = "paging.next.after", size = 100, size_param = "limit" },
    cursor = { kind = "client_side", field = "archivedAt", lookback = "5m" },
    fields = { id = TEXT, createdAt = TIME, updatedAt = TIME, archivedAt = TIME },
    undeclared = "drop",
  }
end

-- The types that the account has made itself; `fullyQualifiedName` is like p4711_cars.
streams.custom_object_types = {
  path = "/crm-object-schemas/v3/schemas", records = "results", primary_key = "fullyQualifiedName", internal = true,
  pages = { kind = "none" },
  fields = { fullyQualifiedName = TEXT },
}

-- Which objects are associated, asked for 500 objects at a time and read anew by each sync: an association that ends tells nobody.
local associated = {
  contacts = { "companies" }, deals = { "contacts", "companies", "line_items" }, tickets = { "contacts", "companies" },
}
for _, engagement in ipairs { "calls", "emails", "meetings", "notes", "tasks" } do associated[engagement] = { "contacts", "companies", "deals" } end

for from, others in pairs(associated) do
  local one = from:sub(1, -2)
  for _, to in ipairs(others) do
    local read = "/crm/associations/" .. VERSION .. "/" .. from .. "/" .. to .. "/batch/read"
    streams[from .. "_" .. to .. "_sets"] = {
      path = read, method = "POST", idempotent = true, records = "results",
      parent = { stream = from, batch = 500 },
      body = { inputs = "{{parent.ids | list_of:'id'}}" },
      pages = { kind = "none" },
      -- An object with more than HubSpot lists at once is asked about alone, page by page.
      enrich = {
        path = read, method = "POST", by = "from.id", filter = { path = "paging.next.after", exists = true },
        body = { inputs = { { id = "{{batch.ids}}", after = "{{page.token}}" } } },
        pages = { kind = "cursor", next = "results.0.paging.next.after" },
        records = "results.*.to", many = true, into = "to",
      },
      flatten = { "from" },
      primary_key = "from_id", internal = true,
      fields = { from_id = TEXT, to = "json" },
      undeclared = "drop",
      explode = {
        [from .. "_" .. to] = {
          path = "to", copy = { [one .. "_id"] = "from_id" }, primary_key = { one .. "_id", "toObjectId" },
          fields = { toObjectId = TEXT, associationTypes = "json" },
          undeclared = "drop",
        },
      },
    }
  end
end

return sluice.connector {
  name = "hubspot",
  version = "1.0.0",
  title = "HubSpot CRM",

  config = {
    base_url = { type = "string", default = "https://api.hubapi.com", title = "API base URL" },
    auth = { type = "enum", values = { "token", "browser", "refresh_token" }, default = "token", title = "A private app's token, or an OAuth app" },
    access_token = { type = "string", secret = true, title = "Token of a private app or service key (auth: token)" },
    client_id = { type = "string", title = "Client id of the OAuth app" },
    client_secret = { type = "string", secret = true, title = "Its client secret" },
    refresh_token = { type = "string", secret = true, title = "A refresh token you have (auth: refresh_token)" },
    scope = {
      type = "string", default = "crm.objects.contacts.read crm.objects.companies.read crm.objects.deals.read crm.objects.owners.read",
      title = "Scopes to ask for (auth: browser)",
    },
    plan = { type = "enum", values = { "free", "professional", "addon", "public_app" }, default = "free", title = "What sets the request limit" },
    start = { type = "timestamp", default = "2006-01-01T00:00:00Z", title = "First sync: objects changed since" },
  },

  http = {
    base = "{{config.base_url}}",
    auth = sluice.select("auth", {
      token = { kind = "bearer", token = "{{config.access_token}}" },
      browser = {
        kind = "oauth2", grant = "authorization_code", authorize_url = "https://app.hubspot.com/oauth/authorize", token_url = "/oauth/" .. VERSION .. "/token",
        client_id = "{{config.client_id}}", client_secret = "{{config.client_secret}}", scope = "{{config.scope}}",
        redirect_url = "http://localhost:8400/callback", -- as the app has it registered, port included
      },
      refresh_token = {
        kind = "oauth2", grant = "refresh_token", token_url = "/oauth/" .. VERSION .. "/token",
        client_id = "{{config.client_id}}", client_secret = "{{config.client_secret}}", refresh_token = "{{config.refresh_token}}",
      },
    }),
    rate_limit = {
      sluice.select("plan", {
        free = { requests = 95, per = "10s" },
        professional = { requests = 180, per = "10s" },
        addon = { requests = 240, per = "10s" },
        public_app = { requests = 105, per = "10s" },
      }),
      -- 5 for all apps of the account, counted as they arrive: evenly, so that none catches up with another
      { kind = "bucket", name = "search", requests = 4, per = "1s", burst = 1, match = { path = OBJECTS .. "*/search" } },
      {
        kind = "quota", name = "daily", stop_at = 0.95,
        learn = { limit = "X-HubSpot-RateLimit-Daily", remaining = "X-HubSpot-RateLimit-Daily-Remaining" },
      },
    },
    errors = {
      { status = 429, path = "policyName", equals = "DAILY", action = "rate_limited", wait = "2h" }, -- over an hour: the sync ends
      { status = 429, path = "policyName", equals = "SECONDLY", action = "rate_limited", wait = "1s" },
      { status = 429, path = "policyName", equals = "TEN_SECONDLY_ROLLING", action = "rate_limited", wait = "10s" },
      { status = 403, path = "category", equals = "MISSING_SCOPES", action = "skip_stream" },
      { status = 400, path = "message", contains = "Unable to infer object type", action = "skip_stream" },
      { status = 423, action = "retry", wait = "2s" },
      { status = 477, action = "rate_limited" }, -- the account is being moved; Retry-After may be a day
      { status = 530, action = "fail", class = "auth", hint = "the access token is not one of HubSpot's: look for missing characters" },
    },
  },

  check = { path = "/account-info/" .. VERSION .. "/details" },

  streams = streams,

  dynamic = { from = "custom_object_types", name = "fullyQualifiedName", stream = found("{{record.objectTypeId}}", "hs_lastmodifieddate", {}) },
}
