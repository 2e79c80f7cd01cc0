"""A PostgreSQL server of our own in a temporary folder, on a Unix socket and a free loopback port, as an unprivileged user."""

import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg2


def binaries():
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    if not folders:
        raise RuntimeError("no PostgreSQL server is installed")
    return pathlib.Path(folders[-1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """Started by the constructor; `stop` ends it and removes the folder."""

    def __init__(self, *settings, prepare=None):
        """`settings`: further words for the server; `prepare` is called with its data folder before it starts."""
        self.settings = settings
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pg-"))
        self.port = free_port()
        self.user = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            self.user = {"user": account.pw_uid, "group": account.pw_gid}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._run("initdb", "-D", self.folder / "data", "-U", "sluice", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        # Members of this role need a password; everybody else is trusted.
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text("host all +with_password 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        if prepare:
            prepare(self.folder / "data")
            for path in (self.folder / "data").glob("server.*"):
                path.chmod(0o600)
                if self.user:
                    os.chown(path, self.user["user"], self.user["group"])
        self.process = None
        self.start()
        connection = self.connect("postgres")
        connection.cursor().execute("CREATE ROLE with_password")
        connection.close()

    def _run(self, program, *words):
        subprocess.run([binaries() / program, *words], check=True, capture_output=True, cwd="/", timeout=120, **self.user)

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [binaries() / "postgres", "-D", self.folder / "data", "-k", self.folder, "-p", str(self.port), "-h", "127.0.0.1",
             # fsync matters when the machine loses power; a server that is killed loses nothing without it.
             "-c", "fsync=off", "-c", "max_connections=200", "-c", "log_min_messages=warning", *self.settings],
            stdout=log, stderr=log, cwd="/", **self.user)
        log.close()
        for _ in range(600):
            try:
                self.connect("postgres").close()
                return
            except psycopg2.OperationalError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError("PostgreSQL did not start: " + (self.folder / "log").read_text()[-2000:])

    def end(self, how=signal.SIGINT):
        """SIGINT is a fast stop, SIGQUIT an immediate one: what a crash leaves."""
        self.process.send_signal(how)
        self.process.wait(timeout=60)

    def stop(self):
        if self.process.poll() is None:
            self.end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database):
        return f"postgresql://sluice@127.0.0.1:{self.port}/{database}"

    def connect(self, database):
        connection = psycopg2.connect(self.url(database), connect_timeout=10)
        connection.autocommit = True
        return connection

    def create_database(self, name, template="template1"):
        """A copy of the template, to which nobody may be connected."""
        self.command(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return Database(self, name)

    def command(self, sql):
        connection = self.connect("postgres")  # `with` would begin a transaction
        connection.cursor().execute(sql)
        connection.close()


class Database:
    """One database of the server, as a test asks it."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.url = server.url(name)
        self.connection = server.connect(name)

    def query(self, sql, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql, *values):
        return self.query(sql, *values)[0][0]

    def close(self):
        self.connection.close()

    def drop(self):
        self.close()
        self.server.command(f'DROP DATABASE "{self.name}" WITH (FORCE)')

    def columns(self, schema, table):
        return dict(self.query("SELECT column_name, data_type FROM information_schema.columns "
                               "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position", schema, table))
