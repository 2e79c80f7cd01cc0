-- expect: script never calls sluice.connector
return { name = "x" }
