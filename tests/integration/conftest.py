"""What the tests share: the built programs, a PostgreSQL server, and comparison with the oracle."""

import csv
import gzip
import io
import json
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from postgres import Postgres  # noqa: E402
from shop import API_KEY, API_SECRET, Shop, key_of  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
BUNDLED = ["sdk/template/lua", *sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("connectors/*/init.lua"))]
STATEFUL = ("run", "check", "preview", "discover", "auth", "plan", "explain", "serve", "status", "logs")  # commands that have --state-dir
SLUICE = os.environ.get("SLUICE_BIN", str(ROOT / "build" / "dev" / "sluice"))


@pytest.fixture(scope="session")
def postgres():
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def database(postgres):
    return postgres.create_database("t" + uuid.uuid4().hex[:12])


@pytest.fixture
def shop(request):
    """An emulator; @pytest.mark.shop(orders=..) sets its size."""
    mark = request.node.get_closest_marker("shop")
    with Shop(**{"orders": 300, "customers": 60, "events": 90, **(mark.kwargs if mark else {})}) as running:
        yield running


def pytest_configure(config):
    config.addinivalue_line("markers", "shop(**options): options of the shop emulator")


class Ended:
    """A finished `sluice`."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Workspace:
    """A folder with a sluice.yaml, and `sluice` run in it."""

    def __init__(self, folder):
        self.folder = folder
        self.wrapper = []  # a command that runs `sluice` with fewer rights
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "SHOP_API_KEY": API_KEY,
                            "SHOP_API_SECRET": API_SECRET, "XDG_STATE_HOME": str(folder / "state")}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def configure(self, shop, destination, streams=None, config=None, connector="shop", name="shop", **settings):
        """Writes a sluice.yaml with one pipeline. YAML is a superset of JSON."""
        pipeline = {
            "connector": str(connector), "destination": "target", "network": {"allow_private": True},
            "config": {"base_url": shop.url if shop else "http://127.0.0.1:1", "api_key": "${SHOP_API_KEY}", **(config or {})},
            **settings,
        }
        if streams is not None:
            pipeline["streams"] = streams
        self.write("sluice.yaml", json.dumps({"destinations": {"target": destination}, "pipelines": {name: pipeline}}, indent=1))

    def words(self, *words):
        """The command with a state directory of its own: root's is the machine's, where limits are shared with everybody."""
        own = ["--state-dir", self.folder / "state" / "sluice"] if words and words[0] in STATEFUL and "--state-dir" not in words else []
        return [*self.wrapper, SLUICE, *map(str, [*words, *own])]

    def forget_limits(self):
        """What the source said about waiting holds for later runs, too, unless it never said it."""
        (self.folder / "state" / "sluice" / "limits").unlink(missing_ok=True)

    def start(self, *words, **options):
        return subprocess.Popen(self.words(*words), cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def run(self, *words, code=0, timeout=120, **options):
        """Runs to the end and checks the exit code (None: any)."""
        process = self.start(*words, **options)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"sluice {' '.join(map(str, words))} took over {timeout} s\n{out}\n{err}")
        ended = Ended(process.returncode, out, err)
        if code is not None:
            assert ended.code == code, ended
        assert "Sanitizer: " not in err, ended
        assert API_KEY not in out + err and API_SECRET not in out + err, f"a secret was printed\n{ended}"
        return ended


@pytest.fixture
def work(tmp_path):
    return Workspace(tmp_path)


def plain(value):
    """A value of the oracle or a table in one spelling: numbers as normalised text, nested ones as JSON."""
    if isinstance(value, (dict, list)):
        return json.dumps(json.loads(json.dumps(value), parse_float=str, parse_int=str), sort_keys=True)
    return value


def rows_of(database, table, columns):
    """The table's rows as dictionaries of text."""
    quoted = ", ".join(f'"{column}"::text' for column in columns)
    return [dict(zip(columns, row)) for row in database.query(f"SELECT {quoted} FROM {table}")]


# How a record of the oracle looks as text in PostgreSQL, per column of each stream.
SHAPES = {
    "orders": {"id": "text", "customer_id": "text", "total_amount": "number", "status": "text", "created_at": "time",
               "updated_at": "time"},
    "customers": {"id": "text", "email": "text", "name": "text", "created_at": "time", "updated_at": "time"},
    "order_events": {"event_id": "text", "order_id": "text", "event_type": "text", "timestamp": "time", "properties": "json"},
    "order_items": {"order_id": "text", "line": "text", "order_updated_at": "time", "sku": "text", "title": "text",
                    "quantity": "number", "unit_price": "number", "gift": "flag"},
}


def spelled(value, shape):
    if value is None or value == "":
        return None
    if shape == "time":
        import datetime
        text = value.replace(" ", "T")
        if text.endswith("+00"):
            text += ":00"
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(datetime.timezone.utc).isoformat()
    if shape == "flag":
        return str(value).lower()
    if shape == "number":
        import decimal
        return str(decimal.Decimal(value).normalize())
    if shape == "json":
        return plain(json.loads(value, parse_float=str, parse_int=str) if isinstance(value, str) else value)
    return value


def table_equals_oracle(database, shop, stream="orders", table=None):
    """The table holds exactly the oracle's records, value by value."""
    shape = SHAPES[stream]
    table = table or f"shop_raw.{stream}"
    compare(rows_of(database, f"{table} WHERE NOT _sluice_deleted", list(shape)), shop, stream)


def compare(rows, shop, stream):
    shape = SHAPES[stream]
    expected = {name: {column: spelled(record.get(column), kind) for column, kind in shape.items()}
                for name, record in shop.oracle(stream).items()}
    found = {}
    for row in rows:
        key = key_of(stream, row)
        assert key not in found, f"{stream}: {key} is there twice"
        found[key] = {column: spelled(row[column], kind) for column, kind in shape.items()}
    missing, surplus = expected.keys() - found.keys(), found.keys() - expected.keys()
    assert not missing and not surplus, f"{stream}: {len(missing)} lost ({sorted(missing)[:3]}), " \
                                        f"{len(surplus)} too many ({sorted(surplus)[:3]})"
    different = [name for name in expected if expected[name] != found[name]]
    assert not different, f"{stream}: {len(different)} differ: {expected[different[0]]} became {found[different[0]]}"


def staged_loads(folder, stream, pipeline="shop"):
    """The published load folders of a stream, oldest first."""
    base = folder / pipeline / stream
    return sorted((path for path in base.iterdir() if not path.name.startswith(".")), key=lambda path: int(path.name)) \
        if base.exists() else []


def staged_rows(load):
    """The rows of one load folder: its manifest's parts, read as any CSV reader would."""
    manifest = json.loads((load / "manifest.json").read_text())
    rows = []
    for part in manifest["parts"]:
        path = load / (part["file"] if "file" in part else part["name"])
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        elif path.suffix == ".zst":
            raw = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
        rows += list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    return rows


def staging_equals_oracle(folder, shop, stream="orders", pipeline="shop"):
    """Folding the staged loads by key, newest cursor last, gives the oracle."""
    from shop import CURSORS
    newest = {}
    for load in staged_loads(folder, stream, pipeline):
        for row in staged_rows(load):
            key = key_of(stream, row)
            old = newest.get(key)
            if not old or spelled(row[CURSORS[stream]], "time") >= spelled(old[CURSORS[stream]], "time"):
                newest[key] = row
    compare(list(newest.values()), shop, stream)


def staged_sets(folder, stream="order_items", pipeline="shop"):
    """Folding the staged loads of an exploded stream as their manifests say: of all rows with the same values in `replace` only
    those with the newest cursor are left, of the newest load where several have it."""
    from shop import CURSORS
    sets = {}
    for load in staged_loads(folder, stream, pipeline):
        manifest = json.loads((load / "manifest.json").read_text())
        fresh = {}
        for row in staged_rows(load):
            name, cursor = tuple(row[column] for column in manifest["replace"]), spelled(row[CURSORS[stream]], "time")
            if name not in fresh or cursor > fresh[name][0]:
                fresh[name] = (cursor, [])
            if cursor == fresh[name][0] and row["_sluice_deleted"] != "true":
                fresh[name][1].append(row)
        for name, (cursor, rows) in fresh.items():
            if name not in sets or cursor >= sets[name][0]:
                sets[name] = (cursor, rows)
    return [row for _, rows in sets.values() for row in {key_of(stream, row): row for row in rows}.values()]
