-- expect: deadline time limit
while true do pcall(string.gsub, ("a"):rep(200000), "a-b", "") end
