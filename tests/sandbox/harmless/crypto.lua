-- Computed by the host: RFC 4231 test case 2, and the digest of the empty text.
assert(sluice.crypto.hmac("sha256", "Jefe", "what do ya want for nothing?")
  == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
assert(sluice.crypto.sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
assert(sluice.crypto.base64("hello") == "aGVsbG8=" and sluice.crypto.base64("\xff\xff", "base64url") == "__8")
assert(#sluice.crypto.digest("sha512", "x", "raw") == 64)
assert(not pcall(sluice.crypto.digest, "md4", "x"))
return sluice.connector { name = "crypto" }
