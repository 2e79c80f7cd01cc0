-- expect: script
-- JSON nested deeper than any reader's stack.
sluice.json.decode(("["):rep(1e6))
