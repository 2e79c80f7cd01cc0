-- wrk: GETs; or, given the path of a body and its signature, webhooks with that body, each another delivery. Ends with the line
-- of figures that serving.py reads.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("id", threads)
end

function init(words)
  if not words[1] then return end
  local file, count = assert(io.open(words[1])), 0
  local body, signature = file:read("a"), words[2]
  file:close()
  function request()
    count = count + 1
    return wrk.format("POST", nil, { ["Content-Type"] = "application/json", ["X-Hub-Signature-256"] = signature,
      ["X-GitHub-Delivery"] = id .. "-" .. count }, body)
  end
end

function done(summary, latency)
  io.write(string.format("figures %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
