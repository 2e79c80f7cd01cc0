-- expect: deadline time limit
string.find(("a"):rep(600), ".-.-.-.-b")
