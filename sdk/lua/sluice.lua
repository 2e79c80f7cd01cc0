---@meta sluice
-- Annotations for editors (LuaLS). Nothing here runs: sluice provides these inside its worker. Reference: sdk/README.md; the
-- keys of a description are in description.lua beside this file.

---A config value marked `secret`. It can be joined with text by `..`, given to sluice.crypto, and returned where a request needs it.
---It cannot be read, measured or compared, and prints as `***`.
---@class sluice.Secret
---@operator concat(string|number|sluice.Secret): sluice.Secret

---A number with more digits than Lua can hold. It prints, compares and is written back exactly; arithmetic is an error.
---@class sluice.Number
---@operator concat(string|number|sluice.Number): string

---JSON's null, as it stands in lists.
---@class sluice.Null

---@alias sluice.Record table<string, any>
---@alias sluice.Text string|sluice.Secret
---@alias sluice.Encoding "hex"|"base64"|"base64url"|"raw"
---@alias sluice.Algorithm "sha1"|"sha256"|"sha384"|"sha512"

---What templates know.
---@class sluice.Context
---@field config table<string, string|number|boolean|sluice.Secret>
---@field cursor? { from?: string, until?: string, value?: string }
---@field slice? { id?: string, from?: string, to?: string }
---@field parent? sluice.Record
---@field batch? { ids: string }
---@field page? { number?: integer, offset?: integer, size?: integer, token?: string }
---@field response? { status: integer, headers: table<string, string> }
---@field now string

---The page being read. It is of one call.
---@class sluice.Page
---@field body string
---@field status? integer
---@field headers? table<string, string>
local page = {}

---The body decoded; an error when it is not JSON.
---@return any
function page:json() end

---@alias sluice.ValueFunction fun(ctx: sluice.Context, page?: sluice.Page): any
---@alias sluice.RecordsFunction fun(page: sluice.Page, ctx: sluice.Context): sluice.Record[]
---@alias sluice.MapFunction fun(record: sluice.Record, ctx: sluice.Context): sluice.Record|sluice.Record[]|nil, sluice.Record?

---What to do about an answer: the name of an action, a table with one, or nil for what comes next.
---@alias sluice.Action "retry"|"rate_limited"|"refresh_auth"|"fail"|"ignore"|"skip_slice"|"skip_stream"|"reset_pages"|"reject"
---@alias sluice.ErrorsFunction fun(response: sluice.Page, ctx: sluice.Context): sluice.Action|{ action: sluice.Action, wait?: string|number, class?: string, hint?: string }|nil

---@class sluice
---@field null sluice.Null
sluice = {}

---Declares the connector. Called once, at the top level of init.lua.
---@param connector sluice.Connector
---@return sluice.Connector
function sluice.connector(connector) end

---A value that depends on one key of the config.
---@param key string a config key
---@param cases table<string, any> the value for each of its values
---@return any
function sluice.select(key, cases) end

---Marks a table as a list, so that it is one also when empty.
---@generic T
---@param list? T[]
---@return T[]
function sluice.array(list) end

sluice.json = {}

---@param text string
---@return any
function sluice.json.decode(text) end

---@param value any
---@return string json with sorted keys
function sluice.json.encode(value) end

sluice.crypto = {}

---@param algorithm sluice.Algorithm
---@param key sluice.Text
---@param message sluice.Text
---@param encoding? sluice.Encoding
---@return string
function sluice.crypto.hmac(algorithm, key, message, encoding) end

---@param algorithm sluice.Algorithm
---@param message sluice.Text
---@param encoding? sluice.Encoding
---@return string
function sluice.crypto.digest(algorithm, message, encoding) end

---@param message sluice.Text
---@param encoding? sluice.Encoding
---@return string
function sluice.crypto.sha256(message, encoding) end

---@param message string plain text only
---@param encoding? "base64"|"base64url"
---@return string
function sluice.crypto.base64(message, encoding) end

sluice.time = {}

---When the sync began, in seconds since 1970. It stands still.
---@return number
function sluice.time.now() end

---@param text string
---@param format? string
---@return number? seconds since 1970; nil when the text is no time
function sluice.time.parse(text, format) end

---@param seconds? number since 1970; nil: now
---@param format? string
---@return string
function sluice.time.format(seconds, format) end
