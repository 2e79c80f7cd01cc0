-- expect: script
-- string.pack asked for more than there is.
return string.pack("!16" .. ("s8"):rep(100), ("x"):rep(1 << 30))
