-- expect: script must be asked: stack overflow
-- A million protected calls, one inside the other: C has an end, and its error is caught level by level.
local depth, message = 0, nil
local function deep(n)
  depth = n
  local ok, problem = pcall(deep, n + 1)
  if not ok then message = message or problem end
end
deep(1)
error("must be asked: " .. (depth < 1e6 and message:match("stack overflow") or "no end at " .. depth))
