-- expect: script
sluice.connector { name = "x", [0.5] = 1 }
