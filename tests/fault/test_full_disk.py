"""A small file system that fills: the sync ends with 6 and says so, nothing is half published, and with more room it goes on."""

import contextlib
import os
import pwd
import subprocess

import pytest

from canonical import Sync, settle
from postgres import Postgres
from shop import Shop
from integration import staged_loads, staged_rows


@contextlib.contextmanager
def small_disk(folder, kib, owner=None):
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=0755", "none", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here (it takes root): {mounted.stderr.strip()}")
    try:
        if owner and os.getuid() == 0:
            account = pwd.getpwnam(owner)
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def enlarge(folder, kib):
    subprocess.run(["mount", "-o", f"remount,size={kib}k", folder], check=True)


def sync_until_full(sync, database=None):
    for _ in range(60):
        sync.prepare(database)
        ended = sync.run(code=None)
        if ended.code:
            assert ended.code == 6, ended
            return ended
    pytest.fail("the disk never filled")


@pytest.mark.parametrize("kib", [300, 460])
def test_csv_destination_on_a_disk_that_fills(work, kib):
    with small_disk(work.folder / "disk", kib) as disk, Shop(orders=120, customers=1, events=1) as shop:
        sync = Sync(work, shop, "append", staging=disk / "staging")
        ended = sync_until_full(sync)
        assert "No space left on device" in ended.err and "free" in ended.err, ended
        for load in staged_loads(sync.staging, "orders"):
            staged_rows(load)  # what is to be seen is whole
        again = sync.run(code=None)
        assert again.code in (0, 6), again
        enlarge(disk, 64 * 1024)
        settle(sync)


@pytest.fixture
def server():
    postgres = Postgres()
    yield postgres
    postgres.stop()


def test_postgres_on_a_tablespace_that_fills(work, server):
    with small_disk(server.folder / "disk", 10 * 1024, owner="postgres") as disk, Shop(orders=2000, customers=1, events=1) as shop:
        admin = server.connect("postgres").cursor()
        admin.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        admin.execute("CREATE DATABASE shop TABLESPACE small")
        database = server.create_database("other")
        database.name, database.url, database.connection = "shop", server.url("shop"), server.connect("shop")
        sync = Sync(work, shop, "append", url=database.url)
        for _ in range(60):
            shop.mutate("orders", updates=1500)
            ended = sync.run(code=None)
            if ended.code:
                break
        assert ended.code == 6 and "53100" in ended.err and "disk space" in ended.err, ended
        enlarge(disk, 256 * 1024)
        settle(sync, database)
