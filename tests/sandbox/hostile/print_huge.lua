-- expect: script must be asked: a line is cut
-- One gigabyte of lines: each is cut, and past a number of them none is sent.
local line = ("x"):rep(1 << 20)
for _ = 1, 1000 do print(line) end
error("must be asked: a line is cut")
