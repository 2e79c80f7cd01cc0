"""Access and refresh tokens: they expire, they rotate, they are revoked. Every secret ever handed out is remembered,
so that a test can look for it where none may be."""

from common.seeded import hexadecimal


class Tokens:
    def __init__(self, api, clock, seed, ttl_s, rotates):
        self.api, self.clock, self.seed, self.ttl_s, self.rotates = api, clock, seed, ttl_s, rotates
        self.refresh = f"{api}-test-refresh"
        self.ends = {}       # access token -> its end in ms
        self.issued = [self.refresh]
        self.number = 0
        self.revoked = False

    def make(self, kind):
        self.number += 1
        token = f"{self.api}-{kind}-" + hexadecimal(32, self.seed, self.api, kind, self.number)
        self.issued.append(token)
        return token

    def grant(self, rotates=None):
        """A new access token; where refresh tokens rotate the pair before it is dead from now on."""
        if self.rotates if rotates is None else rotates:
            self.ends.clear()
            self.refresh = self.make("refresh")
        token = self.make("access")
        self.ends[token] = self.clock.now_ms() + self.ttl_s * 1000
        return token

    def state(self, token):
        """good | expired | unknown"""
        if self.revoked or token not in self.ends:
            return "unknown"
        return "good" if self.clock.now_ms() < self.ends[token] else "expired"

    def expire(self):
        self.ends = dict.fromkeys(self.ends, 0)
