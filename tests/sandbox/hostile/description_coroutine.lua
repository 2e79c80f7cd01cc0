-- expect: script a value that is no data
sluice.connector { name = "x", t = coroutine.create(print) }
