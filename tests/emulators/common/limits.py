"""Limits as the vendors count them. A bucket that refuses counts that: a test asserts that it never did."""

import collections


class Bucket:
    """So many requests (or points) per so many seconds: in fixed windows from the first request on, or in any window (`sliding`)."""

    def __init__(self, limit, per_s, sliding=False):
        self.limit, self.per_s, self.sliding = limit, per_s, sliding
        self.spent = collections.deque()  # (ms, cost), for sliding
        self.began_ms, self.used = None, 0
        self.refused = self.taken = 0

    def settle(self, now_ms):
        """Forgets what is over."""
        width_ms = self.per_s * 1000
        if self.sliding:
            while self.spent and self.spent[0][0] <= now_ms - width_ms:
                self.used -= self.spent.popleft()[1]
        elif self.began_ms is None or now_ms - self.began_ms >= width_ms:
            self.began_ms, self.used = now_ms, 0

    def take(self, now_ms, cost=1):
        """True when the request may pass; it is counted then."""
        self.settle(now_ms)
        if self.used + cost > self.limit:
            self.refused += 1
            return False
        self.used += cost
        self.taken += cost
        if self.sliding:
            self.spent.append((now_ms, cost))
        return True

    def remaining(self):
        return max(0, self.limit - self.used)

    def reset_ms(self, now_ms):
        """How long until there is room again (sliding) or the window ends (fixed)."""
        began = (self.spent[0][0] if self.spent else now_ms) if self.sliding else \
            (self.began_ms if self.began_ms is not None else now_ms)
        return max(0, int(began + self.per_s * 1000 - now_ms))

    def reset_s(self, now_ms):
        """The same in whole seconds, rounded up."""
        return -(-self.reset_ms(now_ms) // 1000)

    def change(self, spec):
        """A `quota` of the control API."""
        self.limit = int(spec.get("limit", self.limit))
        self.per_s = float(spec.get("per_s", self.per_s))
        if "used" in spec:
            self.used = int(spec["used"])
            self.spent.clear()
