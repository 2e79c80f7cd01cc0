-- expect: script table.move moves at most
table.move({}, 1, 1 << 33, 2)
