"""What a disk may hold after the power failed: the file operations of a traced process, and the trees they can leave behind.

`record` reads them from strace's logs. `Disk.after(count, keep)` replays the first `count` of them: what an fsync made durable is
there, of everything else as much as `keep` says. That is more than a real file system does to us (it may keep any subset, in
any order: the ALICE model), so what survives this survives ext4, XFS and the rest.
"""

import dataclasses
import os
import pathlib
import re
import subprocess

CALLS = "open,openat,creat,write,pwrite64,writev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat," \
        "mkdir,mkdirat,rmdir"
LINE = re.compile(r"(?P<time>\d+\.\d+) (?P<call>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)(?P<shown><.*>)?")


@dataclasses.dataclass
class Operation:
    """`at`: the inode whose fsync makes it durable, a folder's for names. `names`: does it change names, not content?"""
    kind: str
    at: int
    also: int = 0  # rename: the other folder
    name: str = ""
    other: str = ""
    inode: int = 0
    offset: int = 0
    data: bytes = b""

    @property
    def names(self):
        return self.kind in ("create", "link", "unlink", "rename")


def trace(words, logs, **options):
    """Runs a command under strace; one log per thread, so that no line is cut in two."""
    return subprocess.run(["strace", "-ff", "-ttt", "-y", "-xx", "-s", "4000000", "-e", f"trace={CALLS}", "-e", "signal=none",
                           "-o", logs / "trace", *map(str, words)], capture_output=True, text=True, timeout=120, **options)


def unhex(text):
    return bytes.fromhex(text.replace("\\x", ""))


def split(arguments):
    """Arguments at the commas outside strings and brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, letter in enumerate(arguments):
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "[{<":
            depth += 1
        elif not quoted and letter in "]}>":
            depth -= 1
        elif not quoted and not depth and letter == ",":
            parts.append(arguments[start:at].strip())
            start = at + 1
    return [*parts, arguments[start:].strip()]


def text_of(argument):
    return unhex(argument.strip('"')).decode()


def path_of_descriptor(argument):
    found = re.match(r"(?:-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)", argument)
    return unhex(found[1]).decode() if found else None


class Recorder:
    """Follows names to inodes while reading the log, since an operation is the inode's whatever it is called later."""

    def __init__(self, root, before):
        self.root = str(root)
        self.inodes = {"": 0}
        self.offsets = {}  # where the next byte goes, by inode: all here append
        self.operations = []
        self.next = 1
        for path in sorted(before):
            self.create(path, before[path] is None)
            if before[path]:
                self.add("write", self.inodes[path], data=before[path])
                self.offsets[self.inodes[path]] = len(before[path])
        for inode in range(self.next):
            self.add("sync", inode)

    def inside(self, path):
        """The path below the root; None when it is elsewhere."""
        if path == self.root:
            return ""
        return os.path.normpath(path[len(self.root) + 1:]) if path and path.startswith(self.root + "/") else None

    def place(self, path):
        """Folder's inode and name."""
        return self.inodes[os.path.dirname(path)], os.path.basename(path)

    def add(self, kind, at, **more):
        self.operations.append(Operation(kind, at, **more))

    def create(self, path, is_folder):
        folder, name = self.place(path)
        self.inodes[path] = self.next
        self.offsets[self.next] = 0
        self.add("create", folder, name=name, inode=self.next, data=b"folder" if is_folder else b"")
        self.next += 1

    def at_path(self, arguments, first):
        """The path that an ..at call names by two arguments."""
        name = text_of(arguments[first + 1])
        return self.inside(name if name.startswith("/") else os.path.join(path_of_descriptor(arguments[first]), name))

    def open(self, path, flags):
        if path is None:
            return
        if path not in self.inodes and "O_CREAT" in flags:
            self.create(path, False)
        elif "O_TRUNC" in flags:
            self.add("truncate", self.inodes[path])
            self.offsets[self.inodes[path]] = 0

    def write(self, descriptor, data):
        path = self.inside(path_of_descriptor(descriptor))
        if path in self.inodes:
            inode = self.inodes[path]
            self.add("write", inode, offset=self.offsets[inode], data=data)
            self.offsets[inode] += len(data)

    def sync(self, descriptor):
        path = self.inside(path_of_descriptor(descriptor))
        if path in self.inodes:
            self.add("sync", self.inodes[path])

    def rename(self, old, new):
        if old is None or new is None:
            return
        (folder, name), (to_folder, to_name) = self.place(old), self.place(new)
        self.add("rename", folder, also=to_folder, name=name, other=to_name, inode=self.inodes[old])
        moved = {path: inode for path, inode in self.inodes.items() if path == old or path.startswith(old + "/")}
        for path, inode in moved.items():
            del self.inodes[path]
            self.inodes[new + path[len(old):]] = inode

    def link(self, old, new):
        if new is not None:
            folder, name = self.place(new)
            self.inodes[new] = self.inodes[old]
            self.add("link", folder, name=name, inode=self.inodes[old])

    def unlink(self, path):
        if path in self.inodes:
            folder, name = self.place(path)
            self.add("unlink", folder, name=name)
            del self.inodes[path]

    def take(self, call, arguments):
        if call in ("open", "creat"):
            self.open(self.inside(text_of(arguments[0])), arguments[1] if call == "open" else "O_CREAT|O_TRUNC")
        elif call == "openat":
            self.open(self.at_path(arguments, 0), arguments[2])
        elif call == "write":
            self.write(arguments[0], unhex(arguments[1].strip('"')))
        elif call in ("pwrite64", "writev", "ftruncate"):
            assert self.inside(path_of_descriptor(arguments[0])) is None, f"{call} is not modelled yet"
        elif call in ("fsync", "fdatasync"):
            self.sync(arguments[0])
        elif call == "rename":
            self.rename(self.inside(text_of(arguments[0])), self.inside(text_of(arguments[1])))
        elif call in ("renameat", "renameat2"):
            self.rename(self.at_path(arguments, 0), self.at_path(arguments, 2))
        elif call == "link":
            self.link(self.inside(text_of(arguments[0])), self.inside(text_of(arguments[1])))
        elif call == "linkat":
            self.link(self.at_path(arguments, 0), self.at_path(arguments, 2))
        elif call in ("unlink", "rmdir"):
            self.unlink(self.inside(text_of(arguments[0])))
        elif call == "unlinkat":
            self.unlink(self.at_path(arguments, 0))
        elif call in ("mkdir", "mkdirat"):
            path = self.inside(text_of(arguments[0])) if call == "mkdir" else self.at_path(arguments, 0)
            if path is not None:
                self.create(path, True)


def read(root):
    """The tree below a folder: {path: bytes, or None for a folder}."""
    return {str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in sorted(root.rglob("*"))}


def record(logs, root, before):
    """The Disk of the operations below `root`, in the order in which they began. `before`: the tree that was there, durable."""
    lines = []
    for path in logs.glob("trace.*"):
        for line in path.read_text().splitlines():
            found = LINE.match(line)
            if found and int(found["result"]) >= 0:
                lines.append((float(found["time"]), found["call"], split(found["arguments"])))
    recorder = Recorder(root, before)
    first = len(recorder.operations)
    for _, call, arguments in sorted(lines, key=lambda line: line[0]):
        recorder.take(call, arguments)
    return Disk(recorder.operations, first)


class Disk:
    """`first`: the operations before it made the tree that was there."""

    def __init__(self, operations, first):
        self.operations, self.first = operations, first

    def durable(self, count):
        """Which of the first `count` operations a later fsync among them has made durable."""
        synced = {}
        kept = [False] * count
        for at in range(count - 1, -1, -1):
            operation = self.operations[at]
            if operation.kind == "sync":
                synced[operation.at] = True
            elif operation.kind == "rename":
                kept[at] = operation.at in synced and operation.also in synced
            else:
                kept[at] = operation.at in synced
        return kept

    def after(self, count, keep):
        """The tree, as {path: bytes, or None for a folder}. keep(operation): does this one survive without an fsync?"""
        kept = self.durable(count)
        folders, files = {0: {}}, {}
        for at, operation in enumerate(self.operations[:count]):
            if operation.kind == "sync" or not (kept[at] or keep(operation)):
                continue
            entries = folders.setdefault(operation.at, {}) if operation.names else None
            if operation.kind == "create":
                entries[operation.name] = operation.inode
                (folders if operation.data else files).setdefault(operation.inode, {} if operation.data else bytearray())
            elif operation.kind == "link":
                entries[operation.name] = operation.inode
            elif operation.kind == "unlink":
                entries.pop(operation.name, None)
            elif operation.kind == "rename":
                if entries.get(operation.name) == operation.inode:
                    del entries[operation.name]
                folders.setdefault(operation.also, {})[operation.other] = operation.inode
            elif operation.kind == "truncate":
                files[operation.at] = bytearray()
            else:
                content = files.setdefault(operation.at, bytearray())
                end = operation.offset + len(operation.data)
                content.extend(bytes(max(0, end - len(content))))
                content[operation.offset:end] = operation.data
        tree = {}

        def walk(inode, path):
            for name, below in folders.get(inode, {}).items():
                if below in folders:
                    tree[f"{path}{name}"] = None
                    walk(below, f"{path}{name}/")
                else:
                    tree[f"{path}{name}"] = bytes(files.get(below, b""))
        walk(0, "")
        return tree


def make(tree, root):
    """Writes a tree to a new folder."""
    pathlib.Path(root).mkdir()
    for path, content in tree.items():
        if content is None:
            os.mkdir(f"{root}/{path}", 0o750)
        else:
            pathlib.Path(f"{root}/{path}").write_bytes(content)
            os.chmod(f"{root}/{path}", 0o640)
