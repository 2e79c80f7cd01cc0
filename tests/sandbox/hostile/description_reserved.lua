-- expect: script this key is reserved
sluice.connector { name = "x", params = { ["$function"] = "streams.other.map" } }
