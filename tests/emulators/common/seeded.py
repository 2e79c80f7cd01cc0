"""Deterministic values: everything a record holds follows from a few integers and the seed."""

import datetime
import hashlib

MASK = (1 << 64) - 1
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

NAMES = ("Ada Lovelace", "Zoë Ångström", "José Núñez", "李小龍", "Мария Иванова", "O'Brien, Pat", 'Jo "JJ" Jones', "Ravi")
TEXTS = ("leave at door", "ring twice,\nthen wait", 'say "hello"', "back\\slash", "tab\there", "emoji 📦🚚", "null", "\\N",
         "comma, semi; colon:", "crlf\r\nline", "100% sure", "plain")


def mix(*parts):
    """SplitMix64's finaliser over integers and texts: 64 well spread bits."""
    z = 0
    for part in parts:
        if isinstance(part, str):
            part = int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], "big")
        z = (z + part + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
    return z


def pick(choices, *parts):
    return choices[mix(*parts) % len(choices)]


def hexadecimal(size, *parts):
    """`size` hexadecimal digits that follow from the parts."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:size]


def instant(ms):
    return EPOCH + datetime.timedelta(milliseconds=ms)


def iso_seconds(ms):
    return instant(ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(ms, zone="Z"):
    return instant(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}{zone}"


def parse_ms(text):
    """An ISO 8601 instant -> milliseconds; ValueError when it is none. Without a zone it is UTC."""
    parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=datetime.timezone.utc)
    since = parsed - EPOCH
    return (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000
