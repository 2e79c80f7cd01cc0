-- expect: script neither all text nor 1 to n
sluice.connector { name = "x", hosts = { "a", b = "c" } }
