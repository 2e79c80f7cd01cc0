"""A Kafka cluster for the tests: librdkafka's mock brokers in a process of their own (tests/kafka/mock_cluster.c), on loopback."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BIN", ROOT / "build" / "dev" / "sluice")).parent
PROGRAM = BUILD / "tests" / "kafka" / "mock_cluster"


def hexed(data):
    """As the cluster's lines have it: None is no value at all."""
    if data is None:
        return "-"
    return (data.encode() if isinstance(data, str) else data).hex() or "."


class Kafka:
    # What Kafka calls a request, and a failure: for `fault`. HANG_UP breaks the connection.
    FETCH, LIST_OFFSETS, METADATA = 1, 2, 3
    HANG_UP, OFFSET_OUT_OF_RANGE, NOT_LEADER, TOPIC_DENIED, UNKNOWN_TOPIC = -195, 1, 6, 29, 3

    def __init__(self, brokers=1, batch=10_000, program=PROGRAM):
        self.process = subprocess.Popen([program, str(brokers), str(batch)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.brokers = self.process.stdout.readline().strip()
        assert self.brokers

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        answer = self.process.stdout.readline().strip()
        assert answer == "ok", f"{words}: {answer}"

    def topic(self, name, partitions=1):
        self.say("topic", name, partitions)

    def put(self, topic, *messages, partition=0):
        """Each is (key, value) or (key, value, [(name, value), ..])."""
        for key, value, *headers in messages:
            named = [f"{name}={hexed(data)}" for name, data in (headers[0] if headers else [])]
            self.say("message", topic, partition, hexed(key), hexed(value), *named)
        self.say("flush")

    def fill(self, topic, count, partition=0, first=0, size=100):
        self.say("fill", topic, partition, first, count, size)

    def fault(self, request, code, count=1):
        self.say("fault", request, count, code)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
