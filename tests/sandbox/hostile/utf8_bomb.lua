-- expect: script
return utf8.char(table.unpack({}, 1, 1000)) .. utf8.codepoint(("x"):rep(16 << 20), 1, -1)
