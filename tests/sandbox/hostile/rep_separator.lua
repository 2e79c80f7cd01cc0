-- expect: script string.rep gives at most 16 MiB
return (""):rep(1 << 40, ",")
