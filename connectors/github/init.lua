-- GitHub: the repositories of an organisation or a user, and what is in them. Data only: the function below runs once, when this file is read.

local TEXT, WHOLE, FLAG, TIME, ANY = "string", "integer", "boolean", "timestamp", "json"
local LINKS = { kind = "link_header", size = 100, size_param = "per_page" }

-- A stream that is read once for each repository.
local function of_repository(path, stream)
  stream.path = "/repos/{{parent.owner.login}}/{{parent.name}}" .. path
  stream.parent = { stream = "repositories", copy = { repository = "full_name" } }
  stream.pages = LINKS
  stream.undeclared = "drop"
  stream.errors = { { status = 404, action = "skip_slice" } } -- it is gone since it was listed
  stream.primary_key = stream.primary_key or "id"
  return stream
end

-- What changed since, by when it was made: a page that is sorted by the change loses a record for each one that changes while it is read.
local CHANGED = { field = "updated_at", param = "since", start = "{{config.start}}", lookback = "1m" }
local BY_CREATION = { sort = "created", direction = "asc" }

-- Newest first, without a filter: read until what is known.
local function newest_first(field, lookback)
  return { kind = "client_side", field = field, order = "descending", stop_early = true, lookback = lookback }
end

local function with(params, more)
  local made = {}
  for key, value in pairs(params) do made[key] = value end
  for key, value in pairs(more) do made[key] = value end
  return made
end

return sluice.connector {
  name = "github",
  version = "1.0.0",
  title = "GitHub",

  config = {
    base_url = { type = "string", default = "https://api.github.com", title = "API base URL; of GitHub Enterprise Server https://HOST/api/v3" },
    scope = { type = "enum", values = { "org", "user", "token" }, default = "org", title = "Whose repositories: of `owner`, or all the token may see" },
    owner = { type = "string", title = "The organisation's or user's login" },
    auth = { type = "enum", values = { "token", "app" }, default = "token", title = "A personal access token, or a GitHub App" },
    token = { type = "string", secret = true, title = "A personal access token that may read (auth: token)" },
    tokens = { type = "list", secret = true, title = "Further ones, of other users: GitHub counts requests by user" },
    app_id = { type = "string", title = "The App's id or client id (auth: app)" },
    installation_id = { type = "string", title = "Its installation (auth: app)" },
    private_key = { type = "string", secret = true, title = "Its private key, PEM (auth: app)" },
    start = { type = "timestamp", default = "2008-01-01T00:00:00Z", title = "First sync: issues, comments and commits changed since" },
  },

  http = {
    base = "{{config.base_url}}",
    headers = { Accept = "application/vnd.github+json", ["X-GitHub-Api-Version"] = "2022-11-28" },
    auth = sluice.select("auth", {
      token = { kind = "bearer", token = "{{config.token}}", pool = "{{config.tokens}}" },
      app = {
        kind = "jwt", key = "{{config.private_key}}", issuer = "{{config.app_id}}",
        exchange = { url = "/app/installations/{{config.installation_id}}/access_tokens" },
      },
    }),
    rate_limit = {
      { requests = 5000, per = "1h" }, -- answers say it when it is more
      { name = "secondary", requests = 800, per = "1m" }, -- 900 points
      { kind = "concurrency", requests = 20 },
    },
    errors = {
      { status = { 403, 429 }, header = "x-ratelimit-remaining", equals = "0", action = "rate_limited" },
      { status = { 403, 429 }, header = "retry-after", action = "rate_limited" },
      { status = { 403, 429 }, path = "message", contains = "secondary rate limit", action = "rate_limited", wait = "1m" },
      { status = 409, path = "message", contains = "empty", action = "ignore" }, -- a repository without a commit
      { status = { 410, 451 }, action = "skip_slice" }, -- issues are switched off; blocked for legal reasons
      { status = 403, path = "block.reason", action = "skip_slice" }, -- blocked for other reasons
      { status = 403, path = "message", contains = "Resource not accessible", action = "skip_stream" }, -- a permission that the token or App lacks
      { status = 422, path = "message", contains = "pagination is limited", action = "skip_slice" }, -- behind page 400
    },
  },

  check = { path = "/rate_limit" },

  streams = {
    repositories = {
      path = sluice.select("scope", { org = "/orgs/{{config.owner}}/repos", user = "/users/{{config.owner}}/repos", token = "/user/repos" }),
      primary_key = "id", sync_modes = "full_refresh",
      pages = LINKS,
      fields = {
        id = WHOLE, name = TEXT, full_name = TEXT, description = TEXT, private = FLAG, fork = FLAG, archived = FLAG, disabled = FLAG, visibility = TEXT,
        default_branch = TEXT, language = TEXT, topics = ANY, owner = ANY, license = ANY, size = WHOLE, stargazers_count = WHOLE, forks_count = WHOLE,
        open_issues_count = WHOLE, created_at = TIME, updated_at = TIME, pushed_at = TIME,
      },
      undeclared = "drop",
    },

    -- Pull requests are issues, too: `pull_request` is set then.
    issues = of_repository("/issues", {
      params = with(BY_CREATION, { state = "all" }),
      cursor = CHANGED,
      fields = {
        id = WHOLE, number = WHOLE, title = TEXT, body = TEXT, state = TEXT, state_reason = TEXT, user = ANY, assignees = ANY, labels = ANY, milestone = ANY,
        locked = FLAG, comments = WHOLE, author_association = TEXT, pull_request = ANY, reactions = ANY, created_at = TIME, updated_at = TIME, closed_at = TIME,
      },
    }),
    issue_comments = of_repository("/issues/comments", {
      params = BY_CREATION,
      cursor = CHANGED,
      fields = { id = WHOLE, issue_url = TEXT, body = TEXT, user = ANY, author_association = TEXT, reactions = ANY, created_at = TIME, updated_at = TIME },
    }),
    pull_requests = of_repository("/pulls", {
      params = { state = "all", sort = "updated", direction = "desc" },
      cursor = newest_first("updated_at"),
      fields = {
        id = WHOLE, number = WHOLE, title = TEXT, body = TEXT, state = TEXT, draft = FLAG, locked = FLAG, user = ANY, assignees = ANY,
        requested_reviewers = ANY, labels = ANY, milestone = ANY, head = ANY, base = ANY, merge_commit_sha = TEXT, auto_merge = ANY,
        author_association = TEXT, created_at = TIME, updated_at = TIME, closed_at = TIME, merged_at = TIME,
      },
    }),
    review_comments = of_repository("/pulls/comments", {
      params = BY_CREATION,
      cursor = CHANGED,
      fields = {
        id = WHOLE, pull_request_review_id = WHOLE, pull_request_url = TEXT, path = TEXT, line = WHOLE, side = TEXT, commit_id = TEXT, in_reply_to_id = WHOLE,
        diff_hunk = TEXT, body = TEXT, user = ANY, author_association = TEXT, reactions = ANY, created_at = TIME, updated_at = TIME,
      },
    }),

    -- Of the default branch. A commit may be pushed long after it was made, and is asked for by when it was made.
    commits = of_repository("/commits", {
      primary_key = { "repository", "sha" },
      flatten = { fields = { "commit" }, depth = 2 },
      cursor = { field = "commit_committer_date", param = "since", start = "{{config.start}}", lookback = "14d" },
      fields = {
        sha = TEXT, commit_message = TEXT, commit_author_name = TEXT, commit_author_email = TEXT, commit_author_date = TIME, commit_committer_name = TEXT,
        commit_committer_email = TEXT, commit_committer_date = TIME, commit_comment_count = WHOLE, commit_verification_verified = FLAG,
        commit_verification_reason = TEXT, author = ANY, committer = ANY, parents = ANY,
      },
    }),

    branches = of_repository("/branches", {
      primary_key = { "repository", "name" }, sync_modes = "full_refresh",
      flatten = { "commit" },
      fields = { name = TEXT, commit_sha = TEXT, protected = FLAG },
    }),
    releases = of_repository("/releases", {
      sync_modes = "full_refresh",
      fields = {
        id = WHOLE, tag_name = TEXT, target_commitish = TEXT, name = TEXT, body = TEXT, draft = FLAG, prerelease = FLAG, author = ANY, assets = ANY,
        created_at = TIME, published_at = TIME,
      },
    }),
    workflow_runs = of_repository("/actions/runs", {
      records = "workflow_runs",
      cursor = newest_first("created_at", "31d"), -- a run may be started again for 30 days
      fields = {
        id = WHOLE, name = TEXT, display_title = TEXT, workflow_id = WHOLE, run_number = WHOLE, run_attempt = WHOLE, event = TEXT, status = TEXT,
        conclusion = TEXT, head_branch = TEXT, head_sha = TEXT, path = TEXT, actor = ANY, triggering_actor = ANY, created_at = TIME, updated_at = TIME,
        run_started_at = TIME,
      },
    }),
    stargazers = of_repository("/stargazers", {
      headers = { Accept = "application/vnd.github.star+json" },
      primary_key = { "repository", "user_id" }, sync_modes = "full_refresh",
      flatten = { "user" },
      fields = { starred_at = TIME, user_id = WHOLE, user_login = TEXT, user_type = TEXT },
    }),
    -- The newest 300 of each repository, of the last 30 days.
    events = of_repository("/events", {
      cursor = newest_first("created_at", "5m"), sync_modes = "incremental",
      fields = { id = TEXT, type = TEXT, actor = ANY, payload = ANY, public = FLAG, created_at = TIME },
    }),

    members = {
      path = "/orgs/{{config.owner}}/members", primary_key = "id", sync_modes = "full_refresh",
      pages = LINKS,
      errors = { { status = 404, action = "skip_stream" } }, -- the owner is no organisation
      fields = { id = WHOLE, login = TEXT, type = TEXT, site_admin = FLAG },
      undeclared = "drop",
    },
    teams = {
      path = "/orgs/{{config.owner}}/teams", primary_key = "id", sync_modes = "full_refresh",
      pages = LINKS,
      errors = { { status = 404, action = "skip_stream" } },
      fields = { id = WHOLE, slug = TEXT, name = TEXT, description = TEXT, privacy = TEXT, permission = TEXT, parent = ANY },
      undeclared = "drop",
    },
  },
}
