-- expect: script string.rep gives at most 16 MiB
return ("x"):rep(1 << 60)
