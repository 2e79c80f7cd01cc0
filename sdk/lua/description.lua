---@meta sluice.description
-- The keys of a description, for editors (LuaLS). Written by the host from the tables that check descriptions; what they
-- mean is in sdk/description.md, what functions get in sdk/lua/sluice.lua.

---The type of a column.
---@alias sluice.Type "string"|"integer"|"decimal"|"float"|"boolean"|"date"|"timestamp"|"timestamp_ntz"|"json"|"binary"

---A connector.
---@class sluice.Connector
---@field name string lower case letters, digits, `_` and `-`
---@field version string of the connector
---@field title? string its name for people
---@field config? table<string, sluice.ConfigEntry> what a pipeline configures: name -> entry
---@field http sluice.Http where requests go and what they carry
---@field check? sluice.Check request that proves the configuration; default: a first page
---@field streams table<string, sluice.Stream> name -> stream

---A config entry.
---@class sluice.ConfigEntry
---@field type? "string"|"integer"|"number"|"boolean"|"timestamp"|"date"|"enum" what values may be (default: string)
---@field required? boolean a pipeline must give it (default: false)
---@field default? string|number|boolean its value when a pipeline gives none
---@field secret? boolean never printed, never readable by functions; strings only (default: false)
---@field title? string what it is, for people
---@field values? string|number|boolean|(string|number|boolean)[] of an enum: what it may be

---http.
---@class sluice.Http
---@field base string URL that paths are put behind; its host is allowed
---@field hosts? string|number|boolean|(string|number|boolean)[] further hosts: `api.example.com`, `*.example.com`, `127.0.0.1:8080`
---@field headers? table<string, any>|sluice.ValueFunction a map or function: headers of every request
---@field params? table<string, any>|sluice.ValueFunction a map or function: query parameters of every request
---@field auth? sluice.Auth a map, see auth kinds
---@field rate_limit? sluice.RateLimit a map, see rate_limit kinds
---@field errors? sluice.ErrorRule[]|sluice.ErrorsFunction a list of error rules, or a function(response, ctx)
---@field timeouts? sluice.Timeouts limits on waiting
---@field retry? sluice.Retry how often a request is tried that the source could not serve
---@field user_agent? string instead of `sluice/VERSION`

---no credentials.
---@class sluice.Auth.none
---@field kind "none"

---a fixed token in the Authorization header.
---@class sluice.Auth.bearer
---@field kind "bearer"
---@field token string sent as `Authorization: PREFIX TOKEN`
---@field prefix? string the word before the token (default: Bearer)

---user name and password (RFC 7617).
---@class sluice.Auth.basic
---@field kind "basic"
---@field username string user name, or a key that stands in its place
---@field password? string password; may be empty

---a fixed key in a header or parameter.
---@class sluice.Auth.api_key
---@field kind "api_key"
---@field key string the key
---@field name? string header or parameter that carries it (default: X-API-Key)
---@field into? "header"|"query" where it goes (default: header)
---@field prefix? string put before the key, with a space between

---a token that is fetched and refreshed by the host (RFC 6749).
---@class sluice.Auth.oauth2
---@field kind "oauth2"
---@field grant string client_credentials or refresh_token
---@field token_url string absolute, or a path behind `http.base`; its host is allowed
---@field client_id? string the client; left out where `sign` says who asks
---@field client_secret? string its secret
---@field refresh_token? string grant refresh_token: the first one; newer ones are kept by the host
---@field scope? string scopes, as the server wants them separated
---@field params? table<string, string|number|boolean> further parameters of the token call
---@field body? "form"|"json" how the token call is written (default: form)
---@field credentials? "body"|"basic" where client_id and client_secret go (default: body)
---@field sign? sluice.Sign signs the token call with an HMAC

---@alias sluice.Auth sluice.Auth.none|sluice.Auth.bearer|sluice.Auth.basic|sluice.Auth.api_key|sluice.Auth.oauth2

---http.auth.sign.
---@class sluice.Sign
---@field key string key of the HMAC
---@field message string what is signed; knows {{sign.timestamp}}, {{sign.method}}, {{sign.path}} and {{sign.body}}
---@field algorithm? "sha1"|"sha256"|"sha384"|"sha512" hash of the HMAC (default: sha256)
---@field encoding? "hex"|"base64"|"base64url" how the signature is written (default: hex)
---@field headers table<string, string|number|boolean> headers of the token call; know {{sign.signature}} beside the names of `message` and config
---@field sign_body? boolean false: {{sign.body}} is empty although a body is sent (default: true)

---a token bucket: refilled by `requests` in each `per`, holding `burst`.
---@class sluice.RateLimit.bucket
---@field kind? "bucket"
---@field requests integer how many in `per`
---@field per? string|number the time they are spread over (default: 1s)
---@field burst? integer how many at once after a pause; without it, never more than `requests` in any `per`

---never more than `requests` in any span of `per`; what a bucket without `burst` does, too.
---@class sluice.RateLimit.window
---@field kind "window"
---@field requests integer how many in each `per`
---@field per? string|number length of the window (default: 1s)

---@alias sluice.RateLimit sluice.RateLimit.bucket|sluice.RateLimit.window

---http.timeouts.
---@class sluice.Timeouts
---@field connect? string|number until the connection stands (default: 10s)
---@field first_byte? string|number from the request to the first byte of its answer (default: 60s)
---@field low_speed? string|number how long an answer may come with less than 1 KiB/s (default: 60s)
---@field total? string|number of one request; default: none, as long as bytes come

---http.retry.
---@class sluice.Retry
---@field tries? integer of one request, the first included; those the source told to wait do not count (default: 5)
---@field wait? string|number before the second try: drawn from 0 to this, and to twice as much for each one more, up to 60s (default: 500ms)
---@field budget? string|number for all tries of one request (default: 10m)

---An error rule.
---@class sluice.ErrorRule
---@field status? string|number|boolean|(string|number|boolean)[] one or several: `404`, `4xx`, `500-599`; default: any, 200 as well
---@field header? string look at this header of the answer
---@field path? string look at this value of the JSON body: `error.code`, `*.errorCode` for that of any element; without `header` and `path`: at the body's text
---@field equals? string|number|boolean|(string|number|boolean)[] it is this, or one of these
---@field contains? string|number|boolean|(string|number|boolean)[] this is in it, or one of these; capitals do not matter
---@field exists? boolean true: it is there, and is not null or empty; false: it is not there. Default of `header` and `path`: true
---@field action "retry"|"rate_limited"|"refresh_auth"|"fail"|"ignore"|"skip_slice"|"skip_stream"|"reset_pages"|"split_window"|"reject"|sluice.ErrorsFunction what to do, or a function(response, ctx)
---@field wait? string|number retry, rate_limited: how long to wait first; default: what the headers say, else `http.retry`
---@field class? "source"|"auth"|"permission"|"data"|"config" fail: whose fault it is, which decides the exit code (default: source)
---@field hint? string what people should do about it

---check.
---@class sluice.Check
---@field path string|sluice.ValueFunction behind `http.base`, or an absolute URL; values are encoded
---@field method? "GET"|"POST"|"PUT" of the request (default: GET)
---@field params? table<string, any>|sluice.ValueFunction a map or function: query parameters; a list repeats its name
---@field headers? table<string, any>|sluice.ValueFunction a map or function
---@field body? any|sluice.ValueFunction a map, list, text or function
---@field body_as? "json"|"form"|"raw" how the body is written; raw: a text as it is (default: json)
---@field idempotency_key? string header that carries a random key, the same at each try of a request: a POST or PUT may then be sent again

---A stream.
---@class sluice.Stream
---@field path string|sluice.ValueFunction behind `http.base`, or an absolute URL; values are encoded
---@field method? "GET"|"POST"|"PUT" of the request (default: GET)
---@field params? table<string, any>|sluice.ValueFunction a map or function: query parameters; a list repeats its name
---@field headers? table<string, any>|sluice.ValueFunction a map or function
---@field body? any|sluice.ValueFunction a map, list, text or function
---@field body_as? "json"|"form"|"raw" how the body is written; raw: a text as it is (default: json)
---@field idempotency_key? string header that carries a random key, the same at each try of a request: a POST or PUT may then be sent again
---@field idempotent? boolean a POST or PUT that may be sent again: it only reads (default: false)
---@field records? string|sluice.RecordsFunction path of the records (`data.items`, `*` for every element, `$` for the root), or a function(page, ctx) that parses (default: $)
---@field errors? sluice.ErrorRule[]|sluice.ErrorsFunction a list of error rules, before those of `http`, or a function(response, ctx)
---@field map? string|sluice.MapFunction a function(record, ctx) that gives none, one or many records
---@field primary_key? string|number|boolean|(string|number|boolean)[] one field or a list
---@field pages? sluice.Pages a map, see pages kinds; default: none
---@field cursor? sluice.Cursor a map, see cursor kinds
---@field fields? table<string, sluice.Type|sluice.Field> a map of name to type, or to a map, see a field
---@field undeclared? "column"|"drop" what becomes of fields that are not in `fields` (default: column)
---@field stable? boolean pages do not shift between runs: an interrupted slice goes on where it stopped (default: false)
---@field sync_modes? string|number|boolean|(string|number|boolean)[] full_refresh, incremental; default: both with a cursor, else full_refresh
---@field write_mode? "append"|"overwrite"|"append_dedup" what fits best, where a pipeline does not say
---@field explode? table<string, sluice.Exploded> streams made of the elements of a list inside each record: name -> exploded stream
---@field title? string what it is, for people

---An exploded stream.
---@class sluice.Exploded
---@field path string where the elements are in a record: a field, or a dotted path that begins with one (`lines.*` for the values of a map)
---@field copy? table<string, string|number|boolean> what goes along from the record: column -> declared field. Its primary key and its cursor must, for the rows to be replaced as a set
---@field position? string column for the element's place in its record, from 0
---@field primary_key? string|number|boolean|(string|number|boolean)[] one column or a list; holds the record's key as it is copied, and what tells its elements apart
---@field fields? table<string, sluice.Type|sluice.Field> of the elements: a map of name to type, or to a map, see a field
---@field undeclared? "column"|"drop" what becomes of fields that are not in `fields` (default: column)
---@field write_mode? "append"|"overwrite"|"append_dedup" what fits best, where a pipeline does not say; default: as the root's
---@field title? string what it is, for people

---one request is all.
---@class sluice.Pages.none
---@field kind "none"

---numbered pages.
---@class sluice.Pages.page
---@field kind "page"
---@field param? string parameter that carries the number; or place {{page.number}}
---@field start? integer number of the first page (default: 1)
---@field size? integer records asked for per page: {{page.size}}
---@field size_param? string parameter that carries the size
---@field into? "query"|"body" where `param` and `size_param` go (default: query)
---@field more? string path of a flag that is true while pages follow
---@field last? string path of a flag that is true on the last page
---@field total? string path of the number of records in all
---@field stop? "empty"|"short" what ends it beside flags and totals: a page without records, or one with fewer than `size` (default: empty)
---@field total_pages? string path of the number of pages in all
---@field max_pages? integer more pages in one slice are an error (default: 1000000)
---@field stable? boolean as the stream's `stable`

---so many records in; advances by the records that came.
---@class sluice.Pages.offset
---@field kind "offset"
---@field param? string parameter that carries the offset; or place {{page.offset}}
---@field start? integer offset of the first page (default: 0)
---@field size? integer records asked for per page: {{page.size}}
---@field size_param? string parameter that carries the size
---@field into? "query"|"body" where `param` and `size_param` go (default: query)
---@field more? string path of a flag that is true while pages follow
---@field last? string path of a flag that is true on the last page
---@field total? string path of the number of records in all
---@field stop? "empty"|"short" what ends it beside flags and totals: a page without records, or one with fewer than `size` (default: empty)
---@field max_pages? integer more pages in one slice are an error (default: 1000000)
---@field stable? boolean as the stream's `stable`

---a token in each answer asks for the next.
---@class sluice.Pages.cursor
---@field kind "cursor"
---@field param? string parameter that carries the token; or place {{page.token}}
---@field next string|sluice.ValueFunction path of the next token, or a function(ctx, page)
---@field start? string token of the first request; default: none is sent
---@field size? integer records asked for per page: {{page.size}}
---@field size_param? string parameter that carries the size
---@field into? "query"|"body" where `param` and `size_param` go (default: query)
---@field more? string path of a flag that is true while pages follow
---@field last? string path of a flag that is true on the last page
---@field keep_params? boolean false: requests with a token carry no other parameters but the size (default: true)
---@field max_pages? integer more pages in one slice are an error (default: 1000000)
---@field stable? boolean as the stream's `stable`

---each answer holds the URL of the next.
---@class sluice.Pages.next_url
---@field kind "next_url"
---@field next string|sluice.ValueFunction path of the next URL, absolute or relative, or a function
---@field size? integer records asked for per page: {{page.size}}
---@field size_param? string parameter that carries the size
---@field into? "query"|"body" where `param` and `size_param` go (default: query)
---@field more? string path of a flag that is true while pages follow
---@field last? string path of a flag that is true on the last page
---@field keep_params? boolean true: the stream's parameters replace those of the URL (default: false)
---@field max_pages? integer more pages in one slice are an error (default: 1000000)
---@field stable? boolean as the stream's `stable`

---the Link header holds the URL of the next (RFC 8288).
---@class sluice.Pages.link_header
---@field kind "link_header"
---@field rel? string the relation that names the next page (default: next)
---@field size? integer records asked for per page: {{page.size}}
---@field size_param? string parameter that carries the size
---@field into? "query"|"body" where `param` and `size_param` go (default: query)
---@field keep_params? boolean true: the stream's parameters replace those of the URL (default: false)
---@field max_pages? integer more pages in one slice are an error (default: 1000000)
---@field stable? boolean as the stream's `stable`

---@alias sluice.Pages sluice.Pages.none|sluice.Pages.page|sluice.Pages.offset|sluice.Pages.cursor|sluice.Pages.next_url|sluice.Pages.link_header

---the source filters by a parameter.
---@class sluice.Cursor.filter
---@field kind? "filter"
---@field field string field of a record that orders the stream
---@field format? string how the source spells it: iso8601, epoch, epoch_ms, epoch_us, date or a %Y-%m-%d pattern
---@field type? "timestamp"|"timestamp_ntz"|"date"|"integer"|"decimal"|"string" default: that of its field
---@field start? string where a first sync begins
---@field lookback? string|number read again this far: a duration; of an integer cursor an integer
---@field delay? string|number leave what is newer than this for the next sync
---@field granularity? string|number the source cuts its times to this, its format aside
---@field missing? "include"|"reject"|"fail" a record without the field (default: include)
---@field param? string parameter that says where to read from; or place {{cursor.from}}
---@field until_param? string parameter that says where to stop; or place {{cursor.until}}
---@field into? "query"|"body" where both go (default: query)
---@field retention? string|number how long the source keeps this: after a longer pause everything is read anew
---@field order? "ascending"|"unknown" ascending: pages come in the cursor's order, so state may advance inside a slice (default: unknown)
---@field bounds? "(]"|"[)" which edge of a window belongs to it; default: as sent
---@field step? string read in windows of this length, a duration or months like 1mo, each a slice of its own
---@field min_step? string|number a window that is too much for the source is halved, down to this (default: 1m)

---the same in windows of `step`.
---@class sluice.Cursor.windowed
---@field kind "windowed"
---@field field string field of a record that orders the stream
---@field format? string how the source spells it: iso8601, epoch, epoch_ms, epoch_us, date or a %Y-%m-%d pattern
---@field type? "timestamp"|"timestamp_ntz"|"date"|"integer"|"decimal"|"string" default: that of its field
---@field start? string where a first sync begins
---@field lookback? string|number read again this far: a duration; of an integer cursor an integer
---@field delay? string|number leave what is newer than this for the next sync
---@field granularity? string|number the source cuts its times to this, its format aside
---@field missing? "include"|"reject"|"fail" a record without the field (default: include)
---@field param? string parameter that says where to read from; or place {{cursor.from}}
---@field until_param? string parameter that says where to stop; or place {{cursor.until}}
---@field into? "query"|"body" where both go (default: query)
---@field retention? string|number how long the source keeps this: after a longer pause everything is read anew
---@field order? "ascending"|"unknown" ascending: pages come in the cursor's order, so state may advance inside a slice (default: unknown)
---@field bounds? "(]"|"[)" which edge of a window belongs to it; default: as sent
---@field step string read in windows of this length, a duration or months like 1mo, each a slice of its own
---@field min_step? string|number a window that is too much for the source is halved, down to this (default: 1m)

---everything is read and the old dropped.
---@class sluice.Cursor.client_side
---@field kind "client_side"
---@field field string field of a record that orders the stream
---@field format? string how the source spells it: iso8601, epoch, epoch_ms, epoch_us, date or a %Y-%m-%d pattern
---@field type? "timestamp"|"timestamp_ntz"|"date"|"integer"|"decimal"|"string" default: that of its field
---@field start? string where a first sync begins
---@field lookback? string|number read again this far: a duration; of an integer cursor an integer
---@field delay? string|number leave what is newer than this for the next sync
---@field granularity? string|number the source cuts its times to this, its format aside
---@field missing? "include"|"reject"|"fail" a record without the field (default: include)
---@field order? "ascending"|"descending"|"unknown" ascending: state may advance inside a sync; descending: newest first (default: unknown)
---@field stop_early? boolean descending: end at the first page that holds what is known (default: false)

---the source's own sync token.
---@class sluice.Cursor.token
---@field kind "token"
---@field next string path in an answer: where the next sync begins, the newest counts
---@field param? string parameter that carries it; not set, nor {{cursor.token}} placed: it is a URL
---@field into? "query"|"body" where the parameters go (default: query)
---@field start_param? string parameter that says where to begin without a token; or {{cursor.from}}
---@field start? string where a first sync begins
---@field format? string how the source spells it: iso8601, epoch, epoch_ms, epoch_us, date or a %Y-%m-%d pattern
---@field type? "timestamp"|"timestamp_ntz"|"date"|"integer"|"decimal"|"string" default: that of its field, else timestamp
---@field field? string orders versions; after a refused token reading begins at its newest value
---@field lookback? string|number and this far before it: a duration; of an integer cursor an integer
---@field missing? "include"|"reject"|"fail" a record without the field (default: include)
---@field retention? string|number how long the source keeps this: after a longer pause everything is read anew

---@alias sluice.Cursor sluice.Cursor.filter|sluice.Cursor.windowed|sluice.Cursor.client_side|sluice.Cursor.token

---A field.
---@class sluice.Field
---@field type "string"|"integer"|"decimal"|"float"|"boolean"|"date"|"timestamp"|"timestamp_ntz"|"json"|"binary" type of the column
---@field format? string how the source spells a date or timestamp; default: ISO 8601
---@field zone? string of timestamps that name none: `+02:00`; default: UTC
---@field title? string what it is, for people

