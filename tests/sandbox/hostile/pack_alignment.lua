-- expect: script
return string.unpack("c2147483647", "x")
