"""Behind pgbouncer in transaction mode, where no two transactions of a connection need be on the same session."""

import os
import pwd
import random
import signal
import subprocess
import time

import psycopg2
import pytest

from canonical import KINDS, Sync, settle
from chosen import FULL
from postgres import free_port
from proxy import CLIENT, SERVER, Fault, Proxy
from shop import Shop
from test_proxy import HEAD, HEAD_REPLY_SIZE
from test_stopped_owner import LEASE, WRITTEN

PROGRAM = "/usr/sbin/pgbouncer"
pytestmark = pytest.mark.skipif(not os.path.exists(PROGRAM), reason="pgbouncer is not installed")


class Bouncer:
    """In front of a server, as an unprivileged user."""

    def __init__(self, server):
        self.port = free_port()
        settings = server.folder / f"pgbouncer-{self.port}.ini"  # where that user may read
        settings.write_text(f"[databases]\n* = host=127.0.0.1 port={server.port} user=sluice\n[pgbouncer]\n"
                            f"listen_addr=127.0.0.1\nlisten_port={self.port}\nunix_socket_dir=\nauth_type=any\n"
                            "pool_mode=transaction\ndefault_pool_size=4\nmin_pool_size=2\nserver_login_retry=1\nserver_round_robin=1\n"
                            "ignore_startup_parameters=extra_float_digits\n")
        user = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            user = {"user": account.pw_uid, "group": account.pw_gid}
            os.chown(settings, account.pw_uid, account.pw_gid)
        log = settings.with_suffix(".log")
        self.log = open(log, "wb")
        self.process = subprocess.Popen([PROGRAM, settings], stdout=self.log, stderr=self.log, cwd="/", **user)
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg2.connect(f"postgresql://sluice@127.0.0.1:{self.port}/postgres").close()
                return
            except psycopg2.OperationalError:
                assert self.process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)

    def url(self, database):
        return database.url.replace(f":{database.server.port}/", f":{self.port}/")

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=60)
        self.log.close()


@pytest.fixture
def bouncer(postgres):
    running = Bouncer(postgres)
    yield running
    running.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_syncs_behind_a_pooler_and_kills_between(work, database, bouncer, kind):
    rng = random.Random(kind)
    with Shop(orders=400, customers=1, events=1) as shop:
        sync = Sync(work, shop, kind, url=bouncer.url(database))
        for _ in range(12 if FULL else 2):
            sync.prepare(database)
            shop.fault(match="/orders", times=0, delay_ms=10)
            process = work.start("run")
            try:
                process.communicate(timeout=rng.uniform(0.02, 0.3))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            shop.control(clear_faults=True)
            settle(sync, database)


POINTS = {"inside COPY": Fault("hold", CLIENT, 700, b"COPY "), "before COMMIT": Fault("hold", SERVER, 0, HEAD)}


@pytest.mark.parametrize("point", POINTS if FULL else ["before COMMIT"])
def test_stopped_owner_behind_a_pooler_is_overtaken(work, database, bouncer, point):
    with Shop(orders=120, customers=1, events=1) as shop, Proxy(bouncer.port) as link:
        sync = Sync(work, shop, "merge", url=bouncer.url(database))
        sync.prepare(database)
        sync.configure(url=database.url.replace(f":{database.server.port}/", f":{link.port}/"))
        link.faults.append(Fault(**vars(POINTS[point])))
        owner = work.start("run")
        try:
            link.wait_struck(owner)
            os.kill(owner.pid, signal.SIGSTOP)
            database.query(LEASE)
            sync.configure(url=bouncer.url(database))
            settle(sync, database)
            before = database.query(WRITTEN)
            os.kill(owner.pid, signal.SIGCONT)
            link.release()
            out, err = owner.communicate(timeout=120)
        finally:
            owner.kill()
        assert owner.returncode == 9, out + err
        assert database.query(WRITTEN) == before, "the overtaken owner wrote"


def test_sessions_of_the_pooler_ended_in_the_middle(work, database, bouncer):
    with Shop(orders=400, customers=1, events=1) as shop:
        sync = Sync(work, shop, "build", url=bouncer.url(database))
        shop.fault(match="/orders", times=0, delay_ms=25)
        process = work.start("run")
        while len(shop.requests("orders")) < 4 and process.poll() is None:
            time.sleep(0.01)
        database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                       "AND pid <> pg_backend_pid()")
        out, err = process.communicate(timeout=120)
        assert process.returncode in (0, 6), out + err
        shop.control(clear_faults=True)
        settle(sync, database)


@pytest.mark.skipif(not FULL, reason="10 s of silence, which test_proxy waits for too: ./dev fault")
@pytest.mark.parametrize("fault", [Fault("silence", CLIENT, 700, b"COPY "), Fault("silence", SERVER, HEAD_REPLY_SIZE + 7, HEAD)])
def test_silence_on_the_way_to_a_pooler_ends_no_sync(work, database, bouncer, fault):
    with Shop(orders=120, customers=1, events=1) as shop, Proxy(bouncer.port) as link:
        sync = Sync(work, shop, "merge", url=bouncer.url(database))
        sync.prepare(database)
        sync.configure(url=database.url.replace(f":{database.server.port}/", f":{link.port}/"))
        link.faults.append(fault)
        sync.run()
        assert link.broken == [fault]
        settle(sync, database)
