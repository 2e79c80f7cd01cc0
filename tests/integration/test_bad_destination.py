"""Bad destinations: what keeps rows from being stored ends with 6 and says what to do; nothing that was there is lost, and once it is
mended the next sync goes on."""

import errno
import os
import subprocess
import uuid

import pytest

from bad import Interrupted, connector, one_line
from conftest import staging_equals_oracle, table_equals_oracle
from postgres import free_port

PASSWORD = "s3cret-of-the-warehouse"


def target(url):
    return {"type": "postgres", "url": url, "schema": "shop_raw"}


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own: disk("size=1m") makes it or changes it."""
    mounted = []

    def mount(options, above=tmp_path):
        if mounted:
            subprocess.run(["mount", "-o", "remount," + options, mounted[0]], check=True)
            return mounted[0]
        folder = above / f"disk-{uuid.uuid4().hex[:12]}"
        folder.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if made.returncode != 0:
            pytest.skip("this machine does not let us mount a file system: " + made.stderr.strip())
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


# item -> (the url from host, port and database; words of the error)
UNREACHABLE = {
    "a port where nobody listens": ("postgresql://me:{password}@127.0.0.1:{free}/{name}", "could not connect", "Connection refused"),
    "a host that there is not": ("postgresql://me:{password}@no-such-host.invalid/{name}", "could not connect", "no-such-host.invalid"),
    "a database that there is not": ("postgresql://sluice:{password}@127.0.0.1:{port}/no_such_database", "no_such_database"),
    "a role that there is not": ("postgresql://nobody_at_all:{password}@127.0.0.1:{port}/{name}", "nobody_at_all"),
}


@pytest.mark.parametrize("item", UNREACHABLE)
def test_unreachable_database(work, shop, database, item):
    url, *words = UNREACHABLE[item]
    url = url.format(password=PASSWORD, free=free_port(), port=database.server.port, name=database.name)
    connector(work)
    work.configure(shop, target(url), connector="./bad.lua")
    for command in ("run", "check"):
        ended = work.run(command, code=6)
        assert PASSWORD not in ended.out + ended.err
        if command == "run":
            one_line(ended, "destination", *words, "check the destination's url", where="shop")
    assert shop.requests("/orders") == [] or command == "check"
    work.configure(shop, target(database.url), connector="./bad.lua")
    work.run("run")
    table_equals_oracle(database, shop)


def test_wrong_database_password(work, shop, database):
    role = "r" + uuid.uuid4().hex[:12]
    database.query(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' IN ROLE with_password")
    database.query(f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    connector(work)
    url = f"postgresql://{role}:%s@127.0.0.1:{database.server.port}/{database.name}"
    work.configure(shop, target(url % "another-wrong-password"), connector="./bad.lua")
    ended = work.run("run", code=6)
    one_line(ended, "destination", "password authentication failed", role, "check the destination's url", where="shop")
    assert "another-wrong-password" not in ended.out + ended.err
    work.configure(shop, target(url % PASSWORD), connector="./bad.lua")
    ended = work.run("run", "-v")
    assert PASSWORD not in ended.out + ended.err
    table_equals_oracle(database, shop)


@pytest.mark.parametrize("item", ["to create in the database", "to write to the table", "to add a column"])
def test_missing_rights(work, shop, database, item):
    role = "r" + uuid.uuid4().hex[:12]
    database.query(f"CREATE ROLE {role} LOGIN")
    connector(work)
    theirs = target(f"postgresql://{role}@127.0.0.1:{database.server.port}/{database.name}")
    if item == "to create in the database":
        work.configure(shop, theirs, connector="./bad.lua")
        one_line(work.run("run", code=6), "destination", "permission denied for database", "grant the role the missing right", where="shop")
        database.query(f"GRANT CREATE ON DATABASE {database.name} TO {role}")
        work.run("run")
        table_equals_oracle(database, shop)
        return
    sync = Interrupted(work, shop, database)
    database.query(f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    database.query(f"GRANT ALL ON SCHEMA _sluice, shop_raw TO {role}")
    database.query(f"GRANT ALL ON ALL TABLES IN SCHEMA _sluice TO {role}")
    database.query(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA _sluice TO {role}")
    database.query(f"GRANT SELECT ON shop_raw.orders TO {role}")
    if item == "to add a column":
        database.query(f"GRANT ALL ON shop_raw.orders TO {role}")
        shop.control(shape={"stream": "orders", "add": {"gift": "yes"}})
    work.configure(shop, theirs, connector="./bad.lua", commit={"bytes": "1KiB", "seconds": 1})
    words = ("must be owner of table orders",) if item == "to add a column" else ("permission denied for table orders",)
    one_line(sync.fails(6), "destination", *words, "grant the role the missing right")
    database.query(f"GRANT ALL ON shop_raw.orders TO {role}")
    database.query(f"ALTER TABLE shop_raw.orders OWNER TO {role}")
    sync.heals()


def test_read_only_database(work, shop, database):
    connector(work)
    sync = Interrupted(work, shop, database)
    database.query(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    ended = work.run("run", code=6)
    one_line(ended, "destination", "read-only", where="shop")
    database.query("SET default_transaction_read_only = off")
    database.query(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
    sync.heals()


def test_full_disk_of_the_database(work, shop, database, disk):
    folder = disk("size=4m,mode=0755", database.server.folder) / "space"
    folder.mkdir()
    if database.server.user:
        os.chown(folder, database.server.user["user"], database.server.user["group"])
    space = "s" + uuid.uuid4().hex[:12]
    database.query(f"CREATE TABLESPACE {space} LOCATION '{folder}'")
    connector(work)
    sync = Interrupted(work, shop, database)
    try:
        database.query(f"ALTER TABLE shop_raw.orders SET TABLESPACE {space}")
        fill(folder.parent / "filler")
        one_line(sync.fails(6), "destination", "No space left on device", "out of disk space")
        (folder.parent / "filler").unlink()
        sync.heals()
    finally:
        database.query("DROP SCHEMA shop_raw CASCADE")
        database.query(f"DROP TABLESPACE {space}")


def fill(path):
    """Until the disk is full."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


def csv(work, shop, folder):
    connector(work)
    work.configure(shop, {"type": "csv", "path": str(folder), "compression": "none"}, connector="./bad.lua")


def test_full_disk(work, shop, disk):
    folder = disk("size=8m")
    staging = folder / "staging"
    csv(work, shop, staging)
    work.run("run")
    shop.mutate(updates=150, inserts=20)
    fill(folder / "filler")
    one_line(work.run("run", code=6), "destination", "No space left on device", "free some space", where="")
    (folder / "filler").unlink()
    work.run("run")
    staging_equals_oracle(staging, shop)


def test_read_only_file_system(work, shop, disk):
    staging = disk("size=8m") / "staging"
    csv(work, shop, staging)
    work.run("run")
    shop.mutate(updates=15)
    disk("ro")
    one_line(work.run("run", code=6), "destination", "Read-only file system", "choose another path", where="shop")
    disk("rw")
    work.run("run")
    staging_equals_oracle(staging, shop)


@pytest.mark.parametrize("item", ["a new folder", "one that was written before"])
def test_folder_without_the_right_to_write(work, shop, item):
    if os.geteuid() == 0:  # who may write everywhere, unless that is taken from him
        work.wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    above = work.folder / "mine"
    above.mkdir()
    csv(work, shop, above / "staging")
    if item == "one that was written before":
        work.run("run")
        shop.mutate(updates=15)
    folders = [path for path in above.rglob("*") if path.is_dir()]
    for path in (above, *folders):
        path.chmod(0o555)
    line = one_line(work.run("run", code=6), "destination", "Permission denied", "grant this user access", where="")
    assert str(above) in line
    for path in (above, *folders):
        path.chmod(0o755)
    work.run("run")
    staging_equals_oracle(above / "staging", shop)


@pytest.mark.parametrize("path, code, class_name", [("taken", 2, "config"), ("taken/staging", 6, "destination")])
def test_path_that_is_no_folder(work, shop, path, code, class_name):
    (work.folder / "taken").write_text("mine")
    csv(work, shop, work.folder / path)
    one_line(work.run("run", code=code), class_name, "taken", "folder", where="shop")
    assert (work.folder / "taken").read_text() == "mine"


@pytest.mark.parametrize("statement, named", [
    ("CREATE RULE r AS ON DELETE TO shop_raw.customers DO INSTEAD NOTHING", "rule r changes what is written"),
    ("CREATE TABLE public.notes AS SELECT id FROM shop_raw.customers; ALTER TABLE public.notes ADD CONSTRAINT n "
     "FOREIGN KEY (id) REFERENCES shop_raw.customers ON DELETE CASCADE", "foreign key n of public.notes would delete"),
    ("CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not today''; END'; "
     "CREATE TRIGGER t BEFORE INSERT ON shop_raw.customers FOR EACH ROW EXECUTE FUNCTION public.no()", "not today")],
    ids=["rule", "cascade", "trigger"])
def test_overwrite_is_refused_with_the_reason_by_what_is_attached(work, shop, database, statement, named):
    work.configure(shop, target(database.url),
                   streams={"customers": {"sync_mode": "full_refresh"}})
    work.run("run")
    before = database.query("SELECT id, xmin::text FROM shop_raw.customers ORDER BY id")
    database.query(statement)
    shop.mutate("customers", updates=3, inserts=2, deletes=3)
    one_line(work.run("run", code=5), "schema", named, where="shop.customers")
    assert database.query("SELECT id, xmin::text FROM shop_raw.customers ORDER BY id") == before
