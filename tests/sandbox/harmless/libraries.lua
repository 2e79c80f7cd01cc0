-- What is there works as Lua's manual says.
assert(("a,b"):find(",", 1, true) == 2 and ("x=1"):match("(%w)=(%d)") == "x" and ("aa"):gsub("a", "b") == "bb")
assert(("%5.2f|%s|%d"):format(1.5, "x", 3) == " 1.50|x|3")
assert(table.concat({ 1, 2, 3 }, "-") == "1-2-3" and select("#", table.unpack({ 1, 2, 3 })) == 3)
assert(utf8.char(233) == "\u{e9}" and utf8.len("\u{e9}") == 1)
assert(math.floor(1.5) == 1 and math.type(1) == "integer" and math.tointeger(3.0) == 3)
local ok, message = pcall(error, "x", 0)
assert(not ok and message == "x")
assert(select("#", pcall(function() return 1, 2, 3 end)) == 4)
local ok2, handled = xpcall(function() error("inner", 0) end, function(m) return "handled " .. m end)
assert(ok2 == false and handled == "handled inner")
assert(select(3, xpcall(function(...) return ... end, print, 1, 2)) == 2)
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
assert(select(2, coroutine.resume(co, 1)) == 2 and select(2, coroutine.resume(co, 5)) == 10)
assert(coroutine.status(co) == "dead" and select("#", coroutine.resume(co)) == 2)
local total = 0
for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do total = total + i end
assert(total == 6)
assert(not pcall(coroutine.wrap(function() error("inside") end)))
assert(os.time() == 1700000000 and os.date("%Y-%m-%d") == "2023-11-14" and os.date("!*t", 0).year == 1970)
assert(os.time { year = 2024, month = 14, day = 1, hour = 0 } == 1738368000 and os.clock() == 0 and os.difftime(3, 1) == 2)
assert(sluice.time.parse("2024-01-15T10:00:00Z") == 1705312800 and sluice.time.parse("no time") == nil)
assert(sluice.time.format(1705312800) == "2024-01-15T10:00:00Z" and sluice.time.now() == 1700000000)
return sluice.connector { name = "libraries" }
