-- expect: script pattern longer than 1024 bytes
string.find("a", ("a*"):rep(600) .. "b")
