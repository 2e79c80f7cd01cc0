-- expect: script larger than 1 MiB
sluice.connector { name = ("x"):rep(2 << 20) }
