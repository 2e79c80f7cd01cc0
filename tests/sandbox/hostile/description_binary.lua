-- expect: script at title: a text that is not UTF-8
sluice.connector { name = "x", title = "\xff\xfe" }
