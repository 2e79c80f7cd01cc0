-- expect: script there is no load
if load then load(("("):rep(10000)) end
error("there is no load")
