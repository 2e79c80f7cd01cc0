-- expect: script at size: a number that is not finite
sluice.connector { name = "x", size = 1 / 0 }
