"""Tokens in the service's store: every node has them, the store itself cannot read them, and a node that dies locks nobody out."""

import base64
import json
import os

import pytest

from conftest import Workspace
from test_tokens import CONNECTOR, REFRESH, Rotating

KEY = base64.b64encode(bytes(range(32))).decode()


class Node(Workspace):
    """A machine: a folder and a state directory of its own."""

    def __init__(self, folder, api, store, names=("one",), key="${TOKEN_KEY}", **service):
        folder.mkdir()
        super().__init__(folder)
        self.environment["TOKEN_KEY"] = KEY
        path = self.write("rotating.lua", CONNECTOR % REFRESH)
        pipeline = {"connector": str(path), "destination": "target", "network": {"allow_private": True},
                    "config": {"base_url": api.url, "refresh_token": "refresh-0"}}
        self.write("sluice.yaml", json.dumps({
            "destinations": {"target": {"type": "csv", "path": str(folder / "staging"), "compression": "none"}},
            "pipelines": {name: pipeline for name in names},
            "service": {"store": store, "token_key": key, **service}}))


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path, database):
    if request.param == "sqlite":
        return str(tmp_path / "shared.db")
    return database.url


def test_nodes_share_a_login_that_rotates(tmp_path, store):
    """A server without grace takes each refresh token once: the second node goes on with what the first was given."""
    with Rotating() as api:
        first, second = (Node(tmp_path / name, api, store) for name in ("a", "b"))
        for number, node in enumerate((first, second, second, first), 1):
            node.run("run")
            assert len(api.calls) == number
            api.access = "ended"
        assert not list(tmp_path.glob("*/state/sluice/tokens/*")), "they are kept in one place"


def test_of_many_one_renews(tmp_path, store):
    names = [f"p{number}" for number in range(3)]
    with Rotating() as api:
        nodes = [Node(tmp_path / name, api, store, names) for name in ("a", "b")]
        for calls in (1, 2):
            running = [node.start("run", name) for node in nodes for name in names]
            for process in running:
                out, err = process.communicate(timeout=120)
                assert process.returncode == 0, out + err
            assert len(api.calls) == calls
            api.access = "ended"


@pytest.mark.parametrize("instant,after_s", [("asked", 0), ("renewed", 0), ("used", 0), ("answered", 0), ("answered", 0.003)])
def test_a_kill_at_any_instant_locks_nobody_out(tmp_path, store, instant, after_s):
    with Rotating(grace=True) as api:
        first, second = (Node(tmp_path / name, api, store) for name in ("a", "b"))
        api.kill_at, api.after_s = instant, after_s
        with api.lock:
            api.victim = first.start("run")
        api.victim.communicate(timeout=60)
        api.kill_at = None
        second.run("run", timeout=60)
        first.run("run", timeout=60)


def test_the_store_cannot_read_them(tmp_path, database):
    with Rotating() as api:
        node = Node(tmp_path / "a", api, database.url)
        node.run("run")
        (credential, sealed), = database.query("SELECT credential, sealed FROM sluice_service.tokens")
        assert sealed.startswith("v1:")
        assert b"refresh" not in base64.b64decode(sealed[3:]) and b"access" not in base64.b64decode(sealed[3:])
        assert "has a token" in node.run("auth", "status").out

        node.environment["TOKEN_KEY"] = base64.b64encode(os.urandom(32)).decode()
        ended = node.run("run", code=2)
        assert "do not open" in ended.err and "sluice auth logout" in ended.err and KEY not in ended.err
        node.environment["TOKEN_KEY"] = KEY

        # A row that somebody with rights on the store puts in another's place.
        swapped = base64.b64decode(sealed[3:])
        for wrong in ("v1:" + base64.b64encode(swapped[:-1] + bytes([swapped[-1] ^ 1])).decode(), "v2:" + sealed[3:], "v1:@", "x"):
            database.query("UPDATE sluice_service.tokens SET sealed = %s WHERE credential = %s", wrong, credential)
            assert "do not open" in node.run("run", code=2).err
        node.run("auth", "logout")
        assert "has a refresh token" in node.run("auth", "status").out, "the configured one is left"


def test_one_credential_does_not_open_as_another(tmp_path, database):
    with Rotating() as api, Rotating() as other:
        Node(tmp_path / "a", api, database.url).run("run")
        Node(tmp_path / "b", other, database.url).run("run")
        (one, sealed), (two, _) = database.query("SELECT credential, sealed FROM sluice_service.tokens")
        assert one != two
        database.query("UPDATE sluice_service.tokens SET sealed = %s WHERE credential = %s", sealed, two)
        ended = [Node(tmp_path / name, each, database.url).run("run", code=None) for name, each in (("c", api), ("d", other))]
        assert sorted(run.code for run in ended) == [0, 2], "the row of one was taken for the other's"


@pytest.mark.parametrize("key", ["short", "", base64.b64encode(b"x" * 31).decode(), base64.b64encode(b"x" * 33).decode(), "@" * 44])
def test_what_is_no_key_is_refused(tmp_path, key):
    with Rotating() as api:
        node = Node(tmp_path / "a", api, str(tmp_path / "s.db"), key=key)
        ended = node.run("run", code=2)
        assert "service.token_key is not 32 bytes in base64" in ended.err and "openssl rand -base64 32" in ended.err
        assert not api.calls


def test_a_key_from_a_file_and_without_a_store(tmp_path):
    with Rotating() as api:
        node = Node(tmp_path / "a", api, str(tmp_path / "s.db"), key="${file:token.key}")
        node.write("token.key", KEY + "\n").chmod(0o600)
        node.run("run")
        node.write("sluice.yaml", (node.folder / "sluice.yaml").read_text().replace('"store"', '"history": "1d", "listen"'))
        ended = node.run("run", code=2)
        assert "service.token_key: needs service.store" in ended.err


def test_a_run_needs_nothing_else_of_the_service(tmp_path):
    """References of the section that a run does not use are left alone."""
    with Rotating() as api:
        node = Node(tmp_path / "a", api, str(tmp_path / "s.db"), tokens={"ops": {"sha256": "${NOT_SET}"}})
        node.run("run")
