"""What a process takes, read from /proc: memory and descriptors over time, and whether they stay what they were."""

import os
import pathlib
import statistics
import threading
import time

MIB = 1 << 20


def rollup(pid):
    """Sizes in bytes by name: Rss, Pss, Anonymous .."""
    sizes = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, *_ = line.split()
        sizes[name.rstrip(":")] = int(size) * 1024
    return sizes


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def age_s(pid):
    started = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    """How many there are, and how many of these are files: sockets and pipes come and go with visitors and syncs."""
    links = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            pass
    return len(links), sum(link.startswith("/") for link in links)


class Watch(threading.Thread):
    """Looks at one process after the other, each a generation of the service, every `every_s`."""

    def __init__(self, every_s):
        super().__init__(daemon=True)
        self.every_s, self.pid, self.samples, self.waiting_pss, self.most_running = every_s, None, {}, [], 0
        self.lock, self.going = threading.Lock(), True

    def turn_to(self, pid):
        with self.lock:
            self.pid = pid
            self.samples[pid] = []

    def look(self, pid):
        sizes, (count, files), syncs = rollup(pid), descriptors(pid), children(pid)
        self.samples[pid].append((time.monotonic(), sizes["Rss"], count, files, len(syncs)))
        self.most_running = max(self.most_running, len(syncs))
        for sync in syncs[:: max(1, len(syncs) // 5)]:  # a few of them: it takes a while to read
            try:
                if age_s(sync) > 2:  # it has begun, and waits for the source
                    self.waiting_pss.append(rollup(sync)["Pss"])
            except (OSError, KeyError, ValueError):
                pass  # it ended meanwhile

    def run(self):
        while self.going:
            with self.lock:
                pid = self.pid
            if pid:
                try:
                    self.look(pid)
                except (OSError, KeyError, ValueError):
                    pass  # it was killed
            time.sleep(self.every_s)

    def peak_rss(self):
        return max(sample[1] for samples in self.samples.values() for sample in samples)

    def trend(self, pid, warm_up_s):
        """Medians of the first fifth behind the warm-up and of the last fifth: of memory, descriptors, and those that are files."""
        samples = self.samples[pid]
        samples = [sample for sample in samples if sample[0] - samples[0][0] >= warm_up_s]
        part = len(samples) // 5
        if part < 3:
            raise RuntimeError(f"the service was seen {len(samples)} times only: too few to compare")
        middle = [[statistics.median(sample[column] for sample in window) for column in (1, 2, 3)]
                  for window in (samples[:part], samples[-part:])]
        return list(zip(*middle))
