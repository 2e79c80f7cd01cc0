-- What is not there: every way out of the sandbox that the standard libraries offer.
for _, name in ipairs { "load", "loadfile", "dofile", "loadstring", "package", "io", "debug", "collectgarbage", "warn", "arg" } do
  assert(_G[name] == nil, name)
end
for _, name in ipairs { "execute", "exit", "getenv", "remove", "rename", "setlocale", "tmpname" } do assert(os[name] == nil, name) end
assert(string.dump == nil and math.randomseed == nil and coroutine.close == nil)
assert(getmetatable("") == false)
assert(not pcall(setmetatable, "", {}))
assert(not pcall(require, "os") and not pcall(require, "../../etc/passwd") and not pcall(require, ""))
return sluice.connector { name = "absent" }
