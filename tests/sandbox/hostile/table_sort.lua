-- expect: deadline time limit
local t = {}
for i = 1, 300000 do t[i] = (i * 7919) % 300007 end
while true do table.sort(t, function(a, b) return a < b end) t[1], t[#t] = t[#t], t[1] end
