"""What must not be there after a sync that went through, whatever happened to those before it."""

import json
import pathlib
import re
import time


def processes_of(session):
    """What still runs of the session a sync was started in: itself, its workers and children."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def no_process_is_left(session):
    deadline = time.monotonic() + 20
    while (left := processes_of(session)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"processes outlived their sync: {left}"


def database_is_clean(database, tables, schema="shop_raw"):
    ask = database.query
    names = {name for name, in ask("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)}
    assert names == set(tables), f"tables in {schema}: {names}"
    for name, in ask("SELECT tablename FROM pg_tables WHERE schemaname = '_sluice' AND tablename LIKE 'stage%%'"):
        assert database.one(f'SELECT count(*) FROM _sluice."{name}"') == 0, "rows were left in a stage"
    nothing = {
        "a build is registered": "SELECT * FROM _sluice.builds WHERE kind = 'build' OR rows <> 0",
        "rows are held": "SELECT * FROM _sluice.held",
        "a head is not at rest": "SELECT * FROM _sluice.heads WHERE building OR publishing",
        "a plan or a position was left": "SELECT * FROM _sluice.state WHERE kind NOT IN ('cursor', 'cursor_field', 'boundary', 'loaded', 'read_at') OR pending",
        "a part's state is not published": "SELECT * FROM _sluice.partitions WHERE pending",
        "the lease is held": "SELECT * FROM _sluice.leases WHERE until > clock_timestamp()",
        "a temporary table is left": "SELECT oid::regclass FROM pg_class WHERE relpersistence = 't'",
        "an advisory lock is held": "SELECT * FROM pg_locks WHERE locktype = 'advisory' AND database = "
                                    "(SELECT oid FROM pg_database WHERE datname = current_database())",
        "an index is not valid": "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid",
        "counts do not add up": "SELECT load_id, kind, emitted, written, unchanged, deduplicated, rejected, discarded FROM _sluice.loads "
                                "WHERE emitted <> written + unchanged + deduplicated + rejected + discarded",
    }
    for what, sql in nothing.items():
        found = ask(sql)
        assert not found, f"{what}: {found[:3]}"


# What may stand in a staging tree, by path below its root.
STAGING = [
    r"\.sluice/[^/]+/lease(\.lock)?",
    r"\.sluice/[^/]+/[^/]+/commits/\d+",
    r"[^./][^/]*/[^./][^/]*/\d+/(manifest\.json|schema\.json|part-\d{5}\.csv(\.gz)?)",
]


def staging_is_clean(staging):
    stray = [name for name in (str(path.relative_to(staging)) for path in staging.rglob("*") if not path.is_dir())
             if not any(re.fullmatch(pattern, name) for pattern in STAGING)]
    assert not stray, f"stray files: {stray}"
    folders = [str(path.relative_to(staging)) for path in staging.glob("*/*/.*")]
    assert not folders, f"unfinished loads: {folders}"
    for lease in staging.glob(".sluice/*/lease"):
        assert json.loads(lease.read_text())["until_us"] in (0, "0"), "the lease is held"
    for commit in staging.glob(".sluice/*/*/commits/*"):
        for line in commit.read_text().splitlines():
            counts = json.loads(line).get("counts")
            if counts:
                number = {name: int(value) for name, value in counts.items() if name != "stream"}
                assert number["emitted"] == number["written"] + number["rejected"] + number["discarded"], (commit, counts)
