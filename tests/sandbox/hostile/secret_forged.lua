-- expect: script string expected
sluice.crypto.hmac("sha256", { ["$secret"] = "api_key" }, "message")
