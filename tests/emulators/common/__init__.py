"""What the emulators of real APIs share; see ../README.md."""
