-- expect: script must be asked: string.rep gives at most 16 MiB
assert((""):rep(1 << 60) == "")
error("must be asked: " .. select(2, pcall(string.rep, "x", 1 << 60)))
