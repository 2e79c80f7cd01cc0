-- Salesforce: all objects of an org, with the fields it has, by REST queries or by Bulk API 2.0 jobs. Data only, no functions: `object`
-- below runs when this file is read.

-- Records change until a window's end, and a window of five years that takes Salesforce over two minutes is read in halves.
-- What commits late keeps its early stamp, so each sync looks ten minutes back.
local cursor = {
  field = "SystemModstamp",
  start = "{{config.start}}",
  step = "60mo",
  min_step = "1d",
  bounds = "[)",
  granularity = "1s",
  lookback = "10m",
}

local types = {
  boolean = "boolean",
  int = "integer",
  long = "integer",
  double = "decimal",
  currency = "decimal",
  percent = "decimal",
  date = "date",
  datetime = "timestamp",
}

-- An object's stream. `has_bulk`: the Bulk API knows it, too, and the pipeline says how.
local function object(name, has_bulk)
  local query = "SELECT {{stream.fields}} FROM " .. name .. " WHERE SystemModstamp >= {{cursor.from | format:'%Y-%m-%dT%H:%M:%SZ'}}"
    .. " AND SystemModstamp < {{cursor.until | format:'%Y-%m-%dT%H:%M:%SZ'}}"

  -- What both ways have.
  local function stream(way)
    way.stable = true -- ids stay; a job's results live for a week
    way.primary_key = "Id"
    way.cursor = cursor
    way.fields = { Id = "string", SystemModstamp = "timestamp" }
    way.deleted = "IsDeleted"
    way.fields_from = {
      path = "/sobjects/" .. name .. "/describe",
      records = "fields",
      types = types,
      skip = { "address", "location", "base64" }, -- their parts are fields, too; a base64 field is a link to a download
    }
    way.undeclared = "drop"
    return way
  end

  -- Each page is a query of its own, for the ids behind the last one. A locator would go on with one query only, and an object with many fields
  -- takes several of the same page; it also ends, and cannot be asked for less where a page is too much. A query that does not give all
  -- of its records at once, as Salesforce may decide, says so by nextRecordsUrl.
  local rest = stream {
    path = "/queryAll",
    params = { q = query .. " AND Id > '{{page.token}}' ORDER BY Id LIMIT {{page.size}}" },
    headers = { ["Sforce-Query-Options"] = "batchSize={{config.batch_size}}" },
    records = "records",
    pages = {
      kind = "last_record",
      field = "Id",
      start = "000000000000000",
      size = sluice.select("batch_size", { ["200"] = 200, ["500"] = 500, ["1000"] = 1000, ["2000"] = 2000 }),
      more = "nextRecordsUrl",
      stop = "short",
    },
    chunks = { max_chars = 14000 }, -- of 16,384 that a URL may have
  }
  if not has_bulk then return rest end

  return sluice.select("api", {
    rest = rest,
    bulk = stream {
      path = "/jobs/query/{{job.id}}/results",
      params = { maxRecords = "{{config.page_size}}" },
      headers = { Accept = "text/csv" },
      pages = { kind = "header_token", header = "Sforce-Locator", param = "locator" },
      format = { kind = "csv", count_header = "Sforce-NumberOfRecords", strip_nul = true, stream = true },
      job = {
        create = {
          path = "/jobs/query",
          body = { operation = "queryAll", contentType = "CSV", columnDelimiter = "COMMA", lineEnding = "LF", query = query },
          idempotent = true, -- one job more of 10,000 a day
        },
        poll = {
          path = "/jobs/query/{{job.id}}",
          state = "state",
          done = { "JobComplete" },
          failed = { "Failed", "Aborted" },
          error = "errorMessage",
        },
        abort = { method = "PATCH", path = "/jobs/query/{{job.id}}", body = { state = "Aborted" } },
        delete = { path = "/jobs/query/{{job.id}}" },
        timeout = "24h",
        slots = 4,
      },
    },
  })
end

local login = {
  kind = "oauth2",
  token_url = "{{config.login_url}}/services/oauth2/token",
  client_id = "{{config.client_id}}",
  client_secret = "{{config.client_secret}}",
  capture = { instance_url = "instance_url" },
}

local function by_grant(grant, more)
  local auth = { grant = grant }
  for key, value in pairs(login) do auth[key] = value end
  for key, value in pairs(more) do auth[key] = value end
  return auth
end

return sluice.connector {
  name = "salesforce",
  version = "1.0.0",
  title = "Salesforce",

  config = {
    login_url = { type = "string", default = "https://login.salesforce.com", title = "Where to log in: test.salesforce.com for a sandbox, or My Domain" },
    instance_host = { type = "string", default = "*.salesforce.com", title = "Hosts that the login may name as the instance" },
    auth = { type = "enum", values = { "browser", "refresh_token", "client_credentials", "jwt" }, default = "browser", title = "How to log in" },
    client_id = { type = "string", required = true, title = "Consumer key of the connected app" },
    client_secret = { type = "string", secret = true, title = "Its consumer secret; not for jwt" },
    refresh_token = { type = "string", secret = true, title = "For auth: refresh_token" },
    username = { type = "string", title = "For auth: jwt, the user it acts for" },
    private_key = { type = "string", secret = true, title = "For auth: jwt, the key of the app's certificate, PEM" },
    audience = { type = "string", default = "https://login.salesforce.com", title = "For auth: jwt; https://test.salesforce.com for a sandbox" },
    api = { type = "enum", values = { "rest", "bulk" }, default = "rest", title = "Queries, or jobs of the Bulk API 2.0 for large objects" },
    start = { type = "timestamp", default = "1999-01-01T00:00:00Z", title = "First sync: records changed since" },
    batch_size = { type = "enum", values = { "200", "500", "1000", "2000" }, default = "2000", title = "REST: records per page" },
    page_size = { type = "integer", default = 50000, title = "Bulk: records per download" },
  },

  http = {
    base = "{{auth.instance_url}}/services/data/v67.0",
    hosts = { "{{config.instance_host}}" },
    auth = sluice.select("auth", {
      browser = by_grant("authorization_code", {
        authorize_url = "{{config.login_url}}/services/oauth2/authorize",
        redirect_url = "http://localhost:1717/OauthRedirect", -- as the app has it registered, port included
        scope = "api refresh_token",
      }),
      refresh_token = by_grant("refresh_token", { refresh_token = "{{config.refresh_token}}" }),
      client_credentials = by_grant("client_credentials", {}),
      jwt = {
        kind = "oauth2",
        grant = "jwt_bearer",
        token_url = "{{config.login_url}}/services/oauth2/token",
        assertion = {
          key = "{{config.private_key}}",
          issuer = "{{config.client_id}}",
          subject = "{{config.username}}",
          audience = "{{config.audience}}",
          lifetime = "3m",
        },
        capture = { instance_url = "instance_url" },
      },
    }),
    rate_limit = {
      { kind = "concurrency", requests = 10 }, -- 25 that take over 20 s are too many, 5 in a developer's org
      { kind = "quota", name = "daily", stop_at = 0.9, learn = { usage = "Sforce-Limit-Info" } },
    },
    timeouts = { first_byte = "3m" }, -- a query is given up by Salesforce after two
    errors = {
      { path = "*.errorCode", equals = "INVALID_SESSION_ID", action = "refresh_auth" },
      { status = 403, path = "*.message", contains = "Concurrent", action = "rate_limited", wait = "30s" },
      { path = "*.errorCode", equals = { "REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED" }, action = "rate_limited", wait = "2h" },
      { path = "*.errorCode", equals = { "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW" }, action = "retry" },
      { status = { 406, 420 }, action = "retry" },
      { path = "*.errorCode", equals = { "QUERY_TIMEOUT", "OPERATION_TOO_LARGE" }, action = "split_window" },
      { path = "*.errorCode", equals = { "INVALID_TYPE", "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY" }, action = "skip_stream" },
      {
        path = "*.errorCode",
        equals = "API_DISABLED_FOR_ORG",
        action = "fail",
        class = "permission",
        hint = "the edition has no API, or the user's profile lacks 'API Enabled'",
      },
      {
        path = "*.errorCode",
        equals = "TXN_SECURITY_METERING_ERROR",
        action = "fail",
        class = "config",
        hint = "a transaction security policy of the org refuses large reports and queries to this user",
      },
      { path = "*.errorCode", equals = "INVALID_FIELD", action = "fail", hint = "a field is gone since it was described: run once with --refresh" },
      {
        status = { 414, 431 },
        action = "fail",
        hint = "something on the way takes shorter URLs than Salesforce does: use `api: bulk`, or leave columns out in the pipeline",
      },
    },
  },

  check = { path = "/limits" },

  streams = {
    -- What there is: those that can be followed by their stamps, without the companions of others (histories, shares, feeds).
    objects = {
      path = "/sobjects",
      records = "sobjects",
      internal = true,
      pages = { kind = "none" },
      filter = {
        { path = "queryable", equals = true },
        { path = "replicateable", equals = true },
        { path = "deprecatedAndHidden", equals = false },
        { path = "associateEntityType", exists = false },
      },
      primary_key = "name",
      fields = { name = "string" },
    },
    OpportunityHistory = object("OpportunityHistory", false),
  },

  dynamic = { from = "objects", stream = object("{{record.name}}", true) },
}
