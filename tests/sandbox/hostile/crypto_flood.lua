-- expect: deadline time limit
-- Questions to the host without end: waiting for the answers is the host's time, asking is the script's.
while true do pcall(sluice.crypto.digest, "sha256", ("x"):rep(100000)) end
