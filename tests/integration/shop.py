"""The shop emulator as a test sees it: a process of its own, its control calls, and the oracle to compare with."""

import json
import pathlib
import subprocess
import sys
import urllib.request

SERVER = pathlib.Path(__file__).parents[1] / "emulators" / "shop" / "server.py"
KEYS = {"orders": ("id",), "customers": ("id",), "order_events": ("event_id",), "order_items": ("order_id", "line")}
CURSORS = {"orders": "updated_at", "customers": "updated_at", "order_events": "timestamp", "order_items": "order_updated_at"}
API_KEY = "shop-test-key"
API_SECRET = "shop-test-secret"


def key_of(stream, record):
    """What names a record: its key's value, or a tuple of them."""
    values = tuple(record[column] for column in KEYS[stream])
    return values if len(values) > 1 else values[0]


class Shop:
    """A running emulator; `with Shop(orders=500) as shop`."""

    def __init__(self, **options):
        words = [f"--{name.replace('_', '-')}" if value is True else f"--{name.replace('_', '-')}={value}"
                 for name, value in options.items()]
        self.process = subprocess.Popen([sys.executable, SERVER, *words], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the shop emulator did not start: {words}")
        self.port = json.loads(line)["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def control(self, **command):
        request = urllib.request.Request(f"{self.url}/__ctl", json.dumps(command).encode(), method="POST",
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def mutate(self, stream="orders", **changes):
        return self.control(mutate={"stream": stream, **changes})

    def fault(self, **fault):
        return self.control(fault=fault)

    def requests(self, containing=""):
        with urllib.request.urlopen(f"{self.url}/__log", timeout=60) as answer:
            log = json.load(answer)["requests"]
        return [entry for entry in log if containing in f"{entry['path']}?{entry['query']}"]

    def oracle(self, stream="orders"):
        """Every current record by key, numbers as exact text."""
        if stream == "order_items":
            return {(order["id"], str(line)): {**item, "order_id": order["id"], "line": str(line),
                                               "order_updated_at": order["updated_at"]}
                    for order in self.oracle("orders").values() for line, item in enumerate(order["items"])}
        with urllib.request.urlopen(f"{self.url}/__oracle?stream={stream}", timeout=120) as answer:
            records = [json.loads(line, parse_float=str, parse_int=str) for line in answer]
        return {key_of(stream, record): record for record in records}
