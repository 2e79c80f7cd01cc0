-- Tables of many members, whatever their order, are described with their keys sorted.
local fields = {}
for i = 1, 5000 do fields["f" .. (i * 7919) % 5003] = "string" end
local text = sluice.json.encode(fields)
local before = ""
for name in text:gmatch('"(f%d+)":') do
  assert(before < name, before .. " before " .. name)
  before = name
end
return sluice.connector { name = "wide", streams = { orders = { fields = fields } } }
