"""Faults on demand: which request is struck, and how an answer is bent on its way out."""

import re
import zlib

KEYS = {"match", "method", "times", "after", "status", "body", "headers", "delay_ms", "truncate_at", "close", "reset", "gzip", "chunked",
        "drip", "raw", "html", "splice", "empty", "duplicate", "token_loop"}
HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


class Faults:
    def __init__(self):
        self.waiting = []

    def add(self, spec):
        unknown = set(spec) - KEYS
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)} in fault")
        re.compile(spec.get("match", ""))
        fault = {"times": 1, **spec}
        if fault.get("html"):
            fault.update(status=fault.get("status", 502), body=HTML, headers={"Content-Type": "text/html", **fault.get("headers", {})})
        self.waiting.append(fault)

    def take(self, method, target):
        """The fault for this request, or {}."""
        for fault in self.waiting:
            if fault.get("method", method) != method or not re.search(fault.get("match", ""), target):
                continue
            if fault.get("after", 0) > 0:
                fault["after"] -= 1
                continue
            if fault["times"] > 0:
                fault["times"] -= 1
                if fault["times"] == 0:
                    self.waiting.remove(fault)
            return fault
        return {}


def pack(data, kind):
    """The body compressed: kind gzip, deflate, or broken (gzip with a wrong end) -> (bytes, Content-Encoding)."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 15 if kind == "deflate" else 31)
    data = packer.compress(data) + packer.flush()
    return (data[:-8] + bytes(8), "gzip") if kind == "broken" else (data, "deflate" if kind == "deflate" else "gzip")
