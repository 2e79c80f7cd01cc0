-- expect: script
-- A megabyte of control characters as an error: one line arrives, cut.
error(("\27[2J\n\r\0"):rep(200000), 0)
