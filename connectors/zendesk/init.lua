-- Zendesk Support: incremental exports of tickets, users, organizations and events, and lists of what is small. Data only, no
-- functions: those below run once, when this file is read.

-- What changes. By sync token, from the cursor exports: they end at the newest minute, and a token is good for ever.
local function by_token(field, format)
  return {
    pages = { kind = "cursor", next = "after_cursor", param = "cursor", last = "end_of_stream", size = 1000, size_param = "per_page" },
    cursor = {
      kind = "token",
      next = "after_cursor",
      param = "cursor",
      start_param = "start_time",
      start = "{{config.start}}",
      format = format,
      field = field,
    },
  }
end

-- By time: a page's end is the next one's start, and the second between the two comes twice.
local function by_time(field, format)
  return {
    pages = {
      kind = "time_next",
      param = "start_time",
      next = "end_time",
      last = "end_of_stream",
      size = 1000,
      size_param = "per_page",
    },
    cursor = { field = field, format = format, start = "{{config.start}}", order = "ascending" },
  }
end

local by_list = { kind = "cursor", next = "meta.after_cursor", param = "page[after]", more = "meta.has_more", size = 100, size_param = "page[size]" }

-- What is small, and says nothing of what is gone: read anew, and replaced as a whole.
-- A list that is paged by number after all would end at its first page.
local by_number = {
  path = "next_page",
  exists = true,
  action = "fail",
  hint = "Zendesk pages this list by number, which the connector does not expect: please report it",
}

local function list(title, path, fields, more)
  local stream = { title = title, path = path, records = path:match("[^/]+$"), primary_key = "id", pages = by_list, errors = { by_number } }
  if not (more and more.cursor) then stream.sync_modes = "full_refresh" end
  stream.fields = { id = "integer", created_at = "timestamp", updated_at = "timestamp" }
  for name, type in pairs(fields) do stream.fields[name] = type end
  for name, value in pairs(more or {}) do stream[name] = value end
  return stream
end

local function export(title, path, how, more)
  local stream = { title = title, path = path, records = path:match("incremental/([^/]+)"), primary_key = "id" }
  stream.pages, stream.cursor = how.pages, how.cursor
  for name, value in pairs(more) do stream[name] = value end
  return stream
end

local login = {
  kind = "oauth2",
  token_url = "{{config.url}}/oauth/tokens",
  client_id = "{{config.client_id}}",
  client_secret = "{{config.client_secret}}",
  scope = "read",
  body = "json",
}

local function by_grant(grant, more)
  local auth = { grant = grant }
  for key, value in pairs(login) do auth[key] = value end
  for key, value in pairs(more or {}) do auth[key] = value end
  return auth
end

-- Requests to an export in a minute. Its own header says what is left, in place of the account's.
local function per_minute(name, header, streams, usual, high_volume)
  return {
    name = name,
    requests = sluice.select("high_volume", { no = usual, yes = high_volume }),
    per = "1m",
    match = { streams = streams },
    learn = { usage = header },
  }
end

return sluice.connector {
  name = "zendesk",
  version = "1.0.0",
  title = "Zendesk Support",

  config = {
    url = { type = "string", required = true, title = "The account: https://acme.zendesk.com" },
    auth = { type = "enum", values = { "browser", "refresh_token", "client_credentials", "api_token" }, default = "browser", title = "How to log in" },
    client_id = { type = "string", title = "Identifier of the OAuth client; not for api_token" },
    client_secret = { type = "string", secret = true, title = "Its secret; not for api_token" },
    redirect_url = { type = "string", default = "http://localhost:1718/callback", title = "For auth: browser, as the OAuth client has it registered" },
    refresh_token = { type = "string", secret = true, title = "For auth: refresh_token" },
    email = { type = "string", title = "For auth: api_token, whose it is" },
    api_token = { type = "string", secret = true, title = "For auth: api_token" },
    start = { type = "timestamp", default = "2010-01-01T00:00:00Z", title = "First sync: what changed since" },
    plan = {
      type = "enum",
      values = { "team", "growth", "professional", "enterprise", "enterprise_plus" },
      default = "team",
      title = "Of the account: how many requests it may make",
    },
    high_volume = { type = "enum", values = { "no", "yes" }, default = "no", title = "Has the account the High Volume API add-on?" },
  },

  http = {
    base = "{{config.url}}/api/v2",
    auth = sluice.select("auth", {
      browser = by_grant("authorization_code", {
        authorize_url = "{{config.url}}/oauth/authorizations/new",
        redirect_url = "{{config.redirect_url}}",
      }),
      refresh_token = by_grant("refresh_token", { refresh_token = "{{config.refresh_token}}" }),
      client_credentials = by_grant("client_credentials"),
      api_token = { kind = "basic", username = "{{config.email}}/token", password = "{{config.api_token}}" },
    }),
    rate_limit = {
      {
        name = "account",
        requests = sluice.select("high_volume", {
          no = sluice.select("plan", { team = 200, growth = 400, professional = 400, enterprise = 700, enterprise_plus = 2500 }),
          yes = 2500,
        }),
        per = "1m",
        learn = { limit = "X-Rate-Limit", remaining = "X-Rate-Limit-Remaining", reset = "ratelimit-reset" },
      },
      per_minute("cursor exports", "Zendesk-RateLimit-incremental-exports-cursor", { "tickets" }, 10, 30),
      per_minute("user exports", "Zendesk-RateLimit-incremental-exports-cursor", { "users" }, 20, 60),
      per_minute("time exports", "Zendesk-RateLimit-incremental-exports", { "organizations", "ticket_events", "ticket_metric_events" }, 10, 30),
    },
    timeouts = { first_byte = "2m" },
    errors = {
      { status = 403, action = "skip_stream" },                                             -- of another plan, or the user's role
      { status = 404, path = "error", equals = "InvalidEndpoint", action = "skip_stream" }, -- the same, said otherwise
      { status = 409, action = "retry", wait = "10s" },
      { status = 422, contains = "start_time", action = "ignore" },                         -- of the last minute, which has no records yet
    },
  },

  check = { path = "/tickets", params = { ["page[size]"] = 1 } },

  streams = {
    tickets = export("Tickets, deleted ones included", "/incremental/tickets/cursor", by_token("generated_timestamp", "epoch"), {
      params = { include = "metric_sets" },
      drop = "fields", -- custom_fields once more
      deleted = { path = "status", equals = "deleted" },
      fields = {
        id = "integer",
        generated_timestamp = { type = "timestamp", format = "epoch", title = "When it changed, by itself or by the system" },
        created_at = "timestamp",
        updated_at = "timestamp",
        due_at = "timestamp",
        external_id = "string",
        type = "string",
        subject = "string",
        raw_subject = "string",
        description = { type = "string", title = "The first comment" },
        priority = "string",
        status = "string",
        recipient = "string",
        requester_id = "integer",
        submitter_id = "integer",
        assignee_id = "integer",
        organization_id = "integer",
        group_id = "integer",
        brand_id = "integer",
        ticket_form_id = "integer",
        custom_status_id = "integer",
        problem_id = "integer",
        has_incidents = "boolean",
        is_public = "boolean",
        tags = "json",
        collaborator_ids = "json",
        follower_ids = "json",
        via = "json",
        satisfaction_rating = "json",
        custom_fields = { type = "json", title = "A list of id and value; in ticket_custom_fields a row each" },
        metric_set = { type = "json", title = "The same as in ticket_metrics" },
      },
      explode = {
        ticket_custom_fields = {
          title = "Values of the tickets' custom fields",
          path = "custom_fields",
          copy = { ticket_id = "id", ticket_generated_timestamp = "generated_timestamp" },
          primary_key = { "ticket_id", "id" },
          fields = { id = { type = "integer", title = "Of the field, see ticket_fields" }, value = "json" },
        },
        ticket_metrics = {
          title = "How long each ticket took",
          path = "metric_set",
          copy = { ticket_id = "id", ticket_generated_timestamp = "generated_timestamp" },
          primary_key = { "ticket_id", "id" },
          fields = {
            id = "integer",
            created_at = "timestamp",
            updated_at = "timestamp",
            assigned_at = "timestamp",
            initially_assigned_at = "timestamp",
            solved_at = "timestamp",
            assignee_updated_at = "timestamp",
            requester_updated_at = "timestamp",
            status_updated_at = "timestamp",
            latest_comment_added_at = "timestamp",
            custom_status_updated_at = "timestamp",
            assignee_stations = "integer",
            group_stations = "integer",
            reopens = "integer",
            replies = "integer",
            reply_time_in_minutes = "json",
            first_resolution_time_in_minutes = "json",
            full_resolution_time_in_minutes = "json",
            agent_wait_time_in_minutes = "json",
            requester_wait_time_in_minutes = "json",
            on_hold_time_in_minutes = "json",
          },
        },
      },
    }),

    ticket_events = export("Each change of a ticket", "/incremental/ticket_events", by_time("timestamp", "epoch"), {
      params = { include = "comment_events" },
      fields = {
        id = "integer",
        ticket_id = "integer",
        timestamp = { type = "timestamp", format = "epoch" },
        created_at = "timestamp",
        updater_id = "integer",
        event_type = "string",
        via = "json",
        system = "json",
        child_events = { type = "json", title = "What changed; the comments among it are rows of ticket_comments" },
      },
      explode = {
        ticket_comments = {
          title = "Comments, public and private",
          path = "child_events",
          filter = { path = "event_type", equals = "Comment" },
          copy = { ticket_event_id = "id", ticket_id = "ticket_id", timestamp = "timestamp" },
          primary_key = { "ticket_event_id", "id" },
          fields = {
            id = "integer",
            created_at = "timestamp",
            type = "string",
            public = "boolean",
            author_id = "integer",
            audit_id = "integer",
            body = "string",
            html_body = "string",
            attachments = "json",
            via = "json",
          },
        },
      },
    }),

    ticket_metric_events = export("Each step of a ticket's metrics", "/incremental/ticket_metric_events", by_time("time", "iso8601"), {
      fields = {
        id = "integer",
        ticket_id = "integer",
        instance_id = "integer",
        metric = "string",
        type = "string",
        time = "timestamp",
        deleted = "boolean",
        sla = "json",
        status = "json",
      },
      deleted = "deleted",
    }),

    users = export("End users, agents and admins", "/incremental/users/cursor", by_token("updated_at", "epoch"), {
      deleted = { path = "active", equals = "false" },
      flatten = "user_fields",
      fields = {
        id = "integer",
        created_at = "timestamp",
        updated_at = { type = "timestamp", format = "iso8601" },
        last_login_at = "timestamp",
        name = "string",
        email = "string",
        phone = "string",
        role = "string",
        custom_role_id = "integer",
        organization_id = "integer",
        default_group_id = "integer",
        external_id = "string",
        locale = "string",
        time_zone = "string",
        active = { type = "boolean", title = "false: deleted" },
        suspended = "boolean",
        verified = "boolean",
        tags = "json",
        photo = "json",
      },
    }),

    organizations = export("Organizations", "/incremental/organizations", by_time("updated_at", "iso8601"), {
      deleted = "deleted_at",
      flatten = "organization_fields",
      fields = {
        id = "integer",
        created_at = "timestamp",
        updated_at = "timestamp",
        deleted_at = "timestamp",
        name = "string",
        external_id = "string",
        group_id = "integer",
        details = "string",
        notes = "string",
        domain_names = "json",
        tags = "json",
        shared_tickets = "boolean",
        shared_comments = "boolean",
      },
    }),

    satisfaction_ratings = list("Ratings that requesters gave", "/satisfaction_ratings", {
      ticket_id = "integer",
      requester_id = "integer",
      assignee_id = "integer",
      group_id = "integer",
      reason_id = "integer",
      score = "string",
      comment = "string",
      reason = "string",
    }, { cursor = { field = "updated_at", param = "start_time", format = "epoch", start = "{{config.start}}" } }),

    ticket_audits = list("What each update of a ticket did, archived tickets left out", "/ticket_audits", {
      ticket_id = "integer",
      author_id = "integer",
      events = "json",
      metadata = "json",
      via = "json",
    }, { records = "audits", cursor = { kind = "client_side", field = "created_at", order = "descending", stop_early = true } }),

    brands = list("Brands", "/brands", { name = "string", subdomain = "string", active = "boolean", default = "boolean", is_deleted = "boolean" },
      { deleted = "is_deleted" }),
    groups = list("Groups of agents", "/groups", { name = "string", description = "string", deleted = "boolean", default = "boolean", is_public = "boolean" },
      { deleted = "deleted" }),
    group_memberships = list("Which agent is in which group", "/group_memberships", { user_id = "integer", group_id = "integer", default = "boolean" }),
    organization_memberships = list("Which user is in which organization", "/organization_memberships",
      { user_id = "integer", organization_id = "integer", default = "boolean" }),
    macros = list("Macros", "/macros", { title = "string", active = "boolean", description = "string", position = "integer", actions = "json", restriction = "json" }),
    triggers = list("Triggers", "/triggers", { title = "string", active = "boolean", position = "integer", actions = "json", conditions = "json" }),
    automations = list("Automations", "/automations", { title = "string", active = "boolean", position = "integer", actions = "json", conditions = "json" }),
    views = list("Views", "/views", { title = "string", active = "boolean", position = "integer", conditions = "json", execution = "json", restriction = "json" }),
    sla_policies = list("SLA policies", "/slas/policies", { title = "string", position = "integer", description = "string", filter = "json", policy_metrics = "json" },
      { records = "sla_policies" }),
    ticket_fields = list("Fields of tickets, custom ones included", "/ticket_fields", {
      type = "string",
      title = "string",
      key = "string",
      description = "string",
      position = "integer",
      active = "boolean",
      required = "boolean",
      custom_field_options = "json",
      system_field_options = "json",
    }),
    ticket_forms = list("Forms of tickets", "/ticket_forms",
      { name = "string", display_name = "string", position = "integer", active = "boolean", default = "boolean", ticket_field_ids = "json" }),
    user_fields = list("Custom fields of users", "/user_fields",
      { type = "string", key = "string", title = "string", position = "integer", active = "boolean", custom_field_options = "json" }),
    organization_fields = list("Custom fields of organizations", "/organization_fields",
      { type = "string", key = "string", title = "string", position = "integer", active = "boolean", custom_field_options = "json" }),
    custom_roles = list("Roles of agents", "/custom_roles", { name = "string", description = "string", role_type = "integer", configuration = "json" },
      { pages = { kind = "none" } }),
    custom_statuses = list("Statuses that the account has made", "/custom_statuses",
      { status_category = "string", agent_label = "string", end_user_label = "string", active = "boolean", default = "boolean" }, { pages = { kind = "none" } }),
    schedules = list("Business hours", "/business_hours/schedules", { name = "string", time_zone = "string", intervals = "json" },
      { pages = { kind = "none" } }),
    tags = {
      title = "Tags of the last 60 days, with how often they were used",
      path = "/tags",
      records = "tags",
      primary_key = "name",
      pages = by_list,
      errors = { by_number },
      fields = { name = "string", count = "integer" },
    },
  },
}
