-- expect: memory ran out of memory and went on
pcall(function() return ("x"):rep(1 << 10):rep(9 << 10) end)
return sluice.connector { name = "half done" }
