"""System calls that fail, or are the last thing a process does: `strace -e inject` around a sync.

strace counts the calls of each thread for itself, so "the nth fsync" is that of every thread that gets so far; a kill is at the
first of them. Therefore a sync is injected into in two ways: from its start, and `attached` to once all its threads stand still,
waiting for the API's first answer, so that what the flow and fetch threads do from there is counted from one, with nobody before
them."""

import collections
import contextlib
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from integration import Ended
from proxy import SERVER, Fault

CALLS = ("write", "fsync", "rename", "link", "mkdir", "unlink", "openat", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg")
WORKER = "sluice-worker"

Call = collections.namedtuple("Call", "thread name text is_injected")


def why_not():
    """Why system calls cannot be injected into here; None: they can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "trace=none", "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"ptrace is not permitted here: {tried.stderr.strip()}"


def read_trace(path):
    """The calls in the order they began, each with the whole of its text."""
    calls, open_calls = [], {}
    for line in pathlib.Path(path).read_text(errors="replace").splitlines():
        match = re.match(r"(\d+)<(.*?)> +(?:(<\.\.\. )?(\w+)(?: resumed>|\())(.*)", line)
        if not match:
            continue
        thread_id, thread, resumed, name, text = match.groups()
        if resumed:
            at = open_calls.pop((thread_id, name), None)
            if at is not None:
                calls[at] = calls[at]._replace(text=calls[at].text + text, is_injected="(INJECTED)" in text)
            continue
        if "<unfinished" in text:
            open_calls[(thread_id, name)] = len(calls)
        calls.append(Call(thread, name, text, "(INJECTED)" in text))
    return calls


class Tracer:
    """Runs a sync under strace; `api` is a proxy in front of the API, for `attached`."""

    def __init__(self, sync, api):
        self.sync, self.api = sync, api
        self.trace = sync.work.folder / "trace"
        environment = sync.work.environment  # leaks cannot be looked for while traced
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"

    def run(self, inject=None, attached=False):
        """How the sync ended, and the calls it made."""
        return self._run_attached(inject) if attached else self._run_whole(inject)

    def _words(self, inject):
        words = ["strace", "-f", "-yy", "-Y", "-o", str(self.trace), "-e", "trace=" + ",".join(CALLS)]
        return [*words, "-e", "inject=" + inject] if inject else words

    def _run_whole(self, inject):
        process = subprocess.run([*self._words(inject), "-qq", *self.sync.work.words("run")], cwd=self.sync.work.folder, text=True,
                                 env=self.sync.work.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        return Ended(process.returncode, process.stdout, process.stderr), read_trace(self.trace)

    @contextlib.contextmanager
    def attached_owner(self, inject=None):
        """A sync that is traced from where all its threads stand still, waiting for the API's first answer, which then comes."""
        self.api.clear()
        self.api.faults.append(Fault("hold", SERVER, 0))
        process = self.sync.work.start("run")
        tracer = None
        try:
            self.api.wait_struck(process)
            tracer = subprocess.Popen([*self._words(inject), "-p", str(process.pid)], stderr=subprocess.PIPE, text=True)
            said = tracer.stderr.readline()
            assert "attached" in said, said
            self.api.release()
            yield process
        finally:
            self.api.release()
            process.kill()
            process.wait()
            if tracer:
                tracer.communicate(timeout=60)

    def _run_attached(self, inject):
        with self.attached_owner(inject) as process:
            out, err = process.communicate(timeout=120)
        return Ended(process.returncode, out, err), read_trace(self.trace)


def numbered(calls, is_of_interest):
    """(name, n) of the calls whose nth of a thread is of interest and comes before any other thread's nth."""
    counts, firsts = collections.Counter(), {}
    for call in calls:
        counts[(call.thread, call.name)] += 1
        firsts.setdefault((call.name, counts[(call.thread, call.name)]), call)
    return [key for key, call in firsts.items() if call.thread != WORKER and is_of_interest(call)]


KILLED = -signal.SIGKILL
needs_ptrace = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
