-- expect: deadline init.lua:2
while true do end
