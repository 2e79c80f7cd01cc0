-- No text shows where something lies in memory.
local values = { {}, print, function() end, coroutine.create(print), sluice.null, setmetatable({}, {}) }
for _, value in ipairs(values) do
  for _, text in ipairs { tostring(value), ("%s"):format(value) } do
    assert(not text:find("0x", 1, true), text)
  end
end
local _, message = pcall(function() return #print end)
assert(not message:find("0x", 1, true), message)
return sluice.connector { name = "no_addresses" }
