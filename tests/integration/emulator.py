"""A running emulator as a test sees it: a process of its own, its control calls, its log and the oracle to compare with."""

import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

FOLDER = pathlib.Path(__file__).parents[1] / "emulators"


class Emulator:
    """`with Emulator("zendesk", tickets=500) as zendesk`; options are those of its server.py."""

    def __init__(self, name, **options):
        words = []
        for option, value in options.items():
            flag = "--" + option.replace("_", "-")
            for one in value if isinstance(value, list) else [value]:
                words += [flag] if one is True else [f"{flag}={one}"]
        self.process = subprocess.Popen([sys.executable, FOLDER / name / "server.py", *words], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(f"the emulator {name} did not start: {words}")
        started = json.loads(line)
        self.port, self.urls = started["port"], started["urls"]
        self.url = self.urls[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def control(self, **command):
        status, _, answer = self.call("POST", "/__ctl", command)
        assert status == 200, answer
        return answer

    def mutate(self, stream, **changes):
        return self.control(mutate={"stream": stream, **changes})["mutated"][0]

    def fault(self, **fault):
        return self.control(fault=fault)

    def inspect(self, what, **query):
        status, _, answer = self.call("GET", f"/__ctl/{what}?{urllib.parse.urlencode(query)}")
        assert status == 200, answer
        return answer

    def requests(self, containing=""):
        return [entry for entry in self.inspect("log")["requests"] if containing in f"{entry['path']}?{entry['query']}"]

    def violations(self):
        """Limits that a client ran into -> how often."""
        return {name: count for name, count in self.inspect("log")["refused"].items() if count}

    def oracle(self, stream):
        return self.inspect("oracle", stream=stream)

    def secrets(self):
        return self.inspect("secrets")["secrets"]

    def call(self, method, target, body=None, headers=None, form=False):
        """One request -> (status, headers, JSON value or text). `target` is a path or a whole URL."""
        url = target if target.startswith("http") else self.url + target
        data = None
        headers = {"User-Agent": "tests", **(headers or {})}
        if body is not None:
            data = (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded" if form else "application/json")
        request = urllib.request.Request(url, data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, got, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, got, text = error.code, error.headers, error.read()
        try:
            return status, got, json.loads(text)
        except ValueError:
            return status, got, text.decode("utf-8", "replace")
