"""Bad input at the door: what the source does not allow, and where a connector may not go, ends with 3. Nothing leaves for a host that
was not declared, and no credential with it. (From https to http: test_tls.py, where there is https.)"""

import json
import socket

import pytest

from bad import KEY, SIGNED, Interrupted, connector, csv_target, one_line
from conftest import table_equals_oracle

REFRESHED = """{ kind = "oauth2", grant = "refresh_token", token_url = "/auth/token", client_id = "c",
  refresh_token = "{{config.api_secret}}" }"""

REFUSED = {
    "401 for ever, a fixed key": (KEY, {"match": "/orders", "after": 1, "status": 401}, "auth", "401 Unauthorized", 1),
    "401 for ever, tokens": (SIGNED, {"match": "/orders", "after": 1, "status": 401}, "auth", "401 Unauthorized", 2),
    "403": (KEY, {"match": "/orders", "after": 1, "status": 403}, "permission", "403 Forbidden", 1),
    "402": (KEY, {"match": "/orders", "after": 1, "status": 402}, "permission", "402 Payment Required", 1),
}


@pytest.mark.parametrize("item", REFUSED)
def test_refused_by_the_source(work, shop, database, item):
    auth, fault, class_name, words, tries = REFUSED[item]
    connector(work, auth=auth)
    sync = Interrupted(work, shop, database, config={"api_secret": "${SHOP_API_SECRET}"})
    shop.fault(times=0, **fault)
    before = len(shop.requests("/orders"))
    one_line(sync.fails(3), class_name, words)
    assert len(shop.requests("/orders")) - before == 1 + tries
    sync.kept_a_page()
    shop.control(clear_faults=True)
    sync.heals()


def test_wrong_key(work, shop):
    work.configure(shop, csv_target(work), streams=["orders"], config={"api_key": "a-wrong-key-nobody-may-see"})
    ended = work.run("run", "-v", code=3)
    one_line(ended, "auth", "401", "check the credentials")
    assert "a-wrong-key-nobody-may-see" not in ended.out + ended.err


def test_revoked_refresh_token(work, shop, database):
    connector(work, auth=REFRESHED)
    grant = {"match": "/auth/token", "method": "POST", "times": 0}
    shop.fault(**grant, body={"access_token": "shop-test-key", "expires_in": 3600, "refresh_token": "a-newer-refresh-token"})
    sync = Interrupted(work, shop, database, config={"api_secret": "${SHOP_API_SECRET}"})
    shop.control(clear_faults=True, fault=[{**grant, "status": 400, "body": {"error": "invalid_grant"}},
                                           {"match": "/orders", "times": 0, "after": 1, "status": 401}])
    ended = sync.fails(3)
    one_line(ended, "auth", "cannot get a token", "invalid_grant", "log in again")
    assert "a-newer-refresh-token" not in ended.out + ended.err
    shop.control(clear_faults=True)
    shop.fault(**grant, body={"access_token": "shop-test-key", "expires_in": 3600})
    sync.heals()


def test_revoked_credentials(work, shop, database):
    connector(work, auth=SIGNED)
    sync = Interrupted(work, shop, database, config={"api_secret": "${SHOP_API_SECRET}"})
    shop.control(revoke=True, expire_tokens=True)
    one_line(sync.fails(3), "auth", "401")
    shop.control(revoke=False)
    sync.heals()


@pytest.fixture
def stranger():
    """A server that was not declared; it counts who calls."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def called(server):
    try:
        server.accept()[0].close()
        return True
    except BlockingIOError:
        return False


ELSEWHERE = {
    "an undeclared host": ("http://localhost:{port}/orders", "'localhost'", "http.hosts"),
    "an undeclared port": ("http://127.0.0.1:{port}/orders", "(port {port}): the host is not among those allowed", "http.hosts"),
    "169.254.169.254": ("http://169.254.169.254/latest/meta-data/", "'169.254.169.254'", "not among those allowed"),
    "169.254.169.254 in hexadecimal": ("http://0xa9fea9fe/latest/meta-data/", "'169.254.169.254'", "not among those allowed"),
    "ftp": ("ftp://127.0.0.1:{port}/orders", "'ftp' is not allowed", "only https and http"),
    "a file": ("file:///etc/passwd", "a URL without a host", "only https and http"),
    "a login in it": ("http://me:secret@127.0.0.1:{port}/orders", "a user name or password in it"),
}


@pytest.mark.parametrize("item", ELSEWHERE)
@pytest.mark.parametrize("way", ["redirect", "next page"])
def test_sent_elsewhere(work, shop, database, stranger, way, item):
    port = stranger.getsockname()[1]
    url, *words = (text.format(port=port) for text in ELSEWHERE[item])
    if way == "redirect":
        connector(work)
        fault = {"status": 302, "headers": {"Location": url}}
    else:
        connector(work, pages='{ kind = "next_url", next = "next" }')
        fault = {"body": {"orders": [], "next": url}}
    shop.control(clear_log=True)
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector="./bad.lua")
    shop.fault(match="/orders", times=0, **fault)
    one_line(work.run("run", code=3), "permission", *words)
    assert not called(stranger), "it went there"
    assert len(shop.requests("/orders")) == 1, "it was asked for again"
    shop.control(clear_faults=True)
    connector(work)
    work.run("run")
    table_equals_oracle(database, shop)


def test_declared_host_with_a_private_address(work, shop):
    """The address is judged where the connection is made, whatever its name."""
    connector(work)
    work.configure(shop, csv_target(work), connector="./bad.lua", network={"allow_private": False})
    one_line(work.run("run", code=3), "permission", "127.0.0.1: a loopback address", "allow_private: true")


def test_metadata_address_is_refused_to_a_pipeline_without_private_ones(work, shop):
    connector(work)
    work.configure(shop, csv_target(work), connector="./bad.lua", config={"base_url": "http://169.254.169.254"},
                   network={"allow_private": False})
    one_line(work.run("run", code=3), "permission", "169.254.169.254", "link-local")


def test_redirect_carries_no_credentials_to_another_origin(work, shop, stranger):
    """A host that is allowed, but not the one the key is for."""
    port = stranger.getsockname()[1]
    connector(work)
    work.configure(shop, csv_target(work), connector="./bad.lua", network={"allow_private": True, "allow_hosts": [f"127.0.0.1:{port}"]})
    shop.fault(match="/orders", times=0, status=302, headers={"Location": f"http://127.0.0.1:{port}/orders"})
    process = work.start("run")
    stranger.settimeout(30)
    try:
        seen = []
        while process.poll() is None and len(seen) < 3:
            caller, _ = stranger.accept()
            with caller:
                caller.settimeout(30)
                seen.append(caller.recv(65536).decode())
                body = json.dumps({"orders": [], "has_more": False})
                caller.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        assert len(seen) == 1 and seen[0].startswith("GET /orders"), seen
        assert "authorization" not in seen[0].lower() and "shop-test-key" not in seen[0], seen
    finally:
        process.kill()
