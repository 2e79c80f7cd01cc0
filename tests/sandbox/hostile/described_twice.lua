-- expect: script is called once
sluice.connector { name = "x" }
sluice.connector { name = "y" }
