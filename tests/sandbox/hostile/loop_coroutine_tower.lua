-- expect: deadline time limit
local function tower(n)
  if n == 0 then while true do end end
  return coroutine.wrap(tower)(n - 1)
end
while true do pcall(tower, 100) end
