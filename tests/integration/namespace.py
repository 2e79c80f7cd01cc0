"""A network of its own for a node: nothing but a loopback, and on it ways to the servers of the test, which can be cut."""

import subprocess
import time
import uuid


class Namespace:
    """Made by root with iproute2. `with Namespace() as node: node.way(7001, target)`: port 7001 in there leads to `target`, an
    address as socat writes it."""

    def __init__(self):
        self.name = f"sluice-{uuid.uuid4().hex[:10]}"
        self.ways = []

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True, timeout=30)
        self.mend()
        return self

    def __exit__(self, *_):
        for way in self.ways:
            way.kill()
            way.wait()
        subprocess.run(["ip", "netns", "delete", self.name], check=True, timeout=30)

    def words(self):
        """What a command is started with, to be in there."""
        return ["ip", "netns", "exec", self.name]

    def _run(self, *words):
        subprocess.run([*self.words(), *words], check=True, timeout=30)

    def way(self, port, target):
        self.ways.append(subprocess.Popen([*self.words(), "socat", f"TCP-LISTEN:{port},fork,reuseaddr,bind=127.0.0.1", target]))
        while subprocess.run([*self.words(), "socat", "-u", "OPEN:/dev/null", f"TCP:127.0.0.1:{port}"],
                             stderr=subprocess.DEVNULL, timeout=30).returncode:
            assert self.ways[-1].poll() is None
            time.sleep(0.02)

    def cut(self):
        """Packets get lost from now on; nobody is told."""
        self._run("ip", "link", "set", "lo", "down")

    def mend(self):
        self._run("ip", "link", "set", "lo", "up")


class Door:
    """A Unix socket that leads to a loopback port here: network namespaces share the file system."""

    def __init__(self, path, port):
        self.target = f"UNIX-CONNECT:{path}"
        self.process = subprocess.Popen(["socat", f"UNIX-LISTEN:{path},fork", f"TCP:127.0.0.1:{port}"])
        while not path.exists():
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
