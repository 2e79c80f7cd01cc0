"""The emulator's time, one for everything: stamps of changes, ends of tokens, limits, jobs, retention.

It is the machine's, moved on by `advance`; with `--now` it stands still and moves by `advance` alone.
"""

import time

from common.seeded import parse_ms


class Clock:
    def __init__(self, now_text=None):
        self.frozen_ms = parse_ms(now_text) if now_text else None
        self.skew_ms = 0

    def now_ms(self):
        return (time.time_ns() // 1000000 if self.frozen_ms is None else self.frozen_ms) + self.skew_ms

    def advance(self, seconds):
        self.skew_ms += int(seconds * 1000)
