-- expect: script attempt to yield across a C-call boundary
-- A comparator that yields out of the sort.
local t = { 3, 2, 1 }
local ok, message = coroutine.resume(coroutine.create(function() table.sort(t, function() coroutine.yield() end) end))
error(message, 0)
