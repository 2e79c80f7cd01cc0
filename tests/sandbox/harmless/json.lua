-- JSON keeps numbers, nulls in lists, empty lists, and what nobody looked at.
local function same(text) local back = sluice.json.encode(sluice.json.decode(text)) assert(back == text, back) end
same('{"a":1,"b":[1,null,{}],"c":"x\\n"}')
same('{"big":12345678901234567890,"long":0.1234567890123456789,"max":9223372036854775807}')
same('{"price":19.99,"small":0.05,"whole":3}')
same('[]')
same('{"deep":{"untouched": [1.50,   null]}}')
local touched = sluice.json.decode('{"deep":{"list":[],"n":1e400,"x":null}}')
assert(touched.deep.x == nil and #touched.deep.list == 0 and tostring(touched.deep.n) == "1e400")
assert(sluice.json.encode(touched) == '{"deep":{"list":[],"n":1e400}}')
local big = sluice.json.decode("12345678901234567890")
assert(big == sluice.json.decode("12345678901234567890.0") and big > 1 and big .. "!" == "12345678901234567890!")
assert(not pcall(function() return big + 1 end) and tonumber(big) == 1.2345678901234567e19)
local lazy = sluice.json.decode('{"o":{"a":1,"b":2},"l":[3,4]}')
local keys = {}
for key in pairs(lazy.o) do keys[#keys + 1] = key end
table.sort(keys)
assert(table.concat(keys) == "ab" and #lazy.l == 2)
lazy = sluice.json.decode('{"o":{"a":1},"l":[3,4],"r":[5]}')
assert(next(lazy.o) == "a" and rawlen(lazy.l) == 2 and rawget(lazy.r, 1) == 5)
lazy = sluice.json.decode('{"l":[3,4]}')
table.insert(lazy.l, 5)
assert(sluice.json.encode(lazy) == '{"l":[3,4,5]}')
assert(sluice.json.encode(sluice.array()) == "[]" and sluice.json.encode({}) == "{}" and sluice.json.encode(sluice.null) == "null")
assert(sluice.json.encode({ 0.1, 1e21, -0.5, 2^53, 1e-7 }) == "[0.1,1e+21,-0.5,9007199254740992,1e-07]")
assert(not pcall(sluice.json.decode, '{"a":') and not pcall(sluice.json.encode, print))
return sluice.connector { name = "json" }
