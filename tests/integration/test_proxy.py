"""Ways out: HTTP and SOCKS proxies that a pipeline names, and certificates that a source asks us for."""

import base64
import os
import select
import socket
import ssl
import struct
import threading

import pytest

from bad import connector, csv_target, one_line
from conftest import staging_equals_oracle
from test_tls import Authority, openssl


def pump(one, other):
    """Both ways until one end closes."""
    ends = [one, other]
    while True:
        ready, _, _ = select.select(ends, [], [], 30)
        if not ready:
            return
        for end in ready:
            try:
                data = end.recv(65536)
            except OSError:
                return
            if not data:
                return
            (other if end is one else one).sendall(data)


class Server:
    """Accepts connections and gives each to `serve`, on a thread of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_safely, args=(client,), daemon=True).start()

    def serve_safely(self, client):
        with client:
            try:
                self.serve(client)
            except OSError:
                pass

    def stop(self):
        self.listener.close()


def read_head(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            return b""
        head += data
    return head


class HttpProxy(Server):
    """CONNECT, and requests with absolute URLs; every name is found on loopback."""

    def __init__(self, user=None, refuse=None):
        super().__init__()
        self.user, self.refuse = user, refuse

    def serve(self, client):
        head = read_head(client)
        if not head:
            return
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.asked.append((method, target))
        if self.user and f"Proxy-Authorization: Basic {base64.b64encode(self.user.encode()).decode()}".encode() not in head:
            client.sendall(b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        if self.refuse:
            client.sendall(f"HTTP/1.1 {self.refuse} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            return
        authority = target if method == "CONNECT" else target.split("/")[2]
        with socket.create_connection(("127.0.0.1", int(authority.rsplit(":", 1)[1]))) as source:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Established\r\nX-Proxy: 1\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                source.sendall(head.replace(target.encode(), path.encode(), 1).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            pump(client, source)


class SocksProxy(Server):
    """SOCKS5 with names (RFC 1928), with or without a password (RFC 1929)."""

    def __init__(self, user=None):
        super().__init__()
        self.user = user

    def serve(self, client):
        _, count = client.recv(2)
        methods = client.recv(count)
        if self.user:
            assert 2 in methods
            client.sendall(b"\x05\x02")
            _, size = client.recv(2)
            name = client.recv(size)
            password = client.recv(client.recv(1)[0])
            ok = name + b":" + password == self.user.encode()
            client.sendall(b"\x01" + (b"\x00" if ok else b"\x01"))
            if not ok:
                return
        else:
            client.sendall(b"\x05\x00")
        _, _, _, kind = client.recv(4)
        name = client.recv(client.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(client.recv(4))
        port = struct.unpack(">H", client.recv(2))[0]
        self.asked.append((kind, name))
        with socket.create_connection(("127.0.0.1", port)) as source:
            client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
            pump(client, source)


@pytest.fixture
def serve():
    running = []

    def start(server):
        running.append(server)
        return server
    yield start
    for server in running:
        server.stop()


def configure(work, shop, host="shop.example", **network):
    """A source by a name that only a proxy knows."""
    connector(work)
    work.configure(None, csv_target(work), connector="./bad.lua", network=network,
                   config={"base_url": f"http://{host}:{shop.port}"})
    return work


def test_requests_go_through_an_http_proxy(work, shop, serve):
    proxy = serve(HttpProxy(user="ann:p@ss/w0rd-of-ann"))
    work.environment["SECRET"] = "ann:p%40ss%2Fw0rd-of-ann"
    configure(work, shop, proxy=f"http://${{SECRET}}@127.0.0.1:{proxy.port}")
    ended = work.run("run", "--verbose")
    staging_equals_oracle(work.folder / "staging", shop)
    assert proxy.asked and all(target.startswith(f"http://shop.example:{shop.port}/") for _, target in proxy.asked)
    assert "w0rd-of-ann" not in ended.out + ended.err


def test_names_are_found_by_a_socks_proxy(work, shop, serve):
    proxy = serve(SocksProxy(user="bob:b0bs-secret-word"))
    configure(work, shop, proxy=f"socks5h://bob:b0bs-secret-word@127.0.0.1:{proxy.port}")
    work.run("run")
    staging_equals_oracle(work.folder / "staging", shop)
    assert set(proxy.asked) == {(3, "shop.example")}


def test_some_hosts_are_reached_directly(work, shop, serve):
    proxy = serve(HttpProxy())
    configure(work, shop, host="127.0.0.1", proxy=f"http://127.0.0.1:{proxy.port}", no_proxy=["127.0.0.1", "*.intern.example"],
              allow_private=True)
    work.run("run")
    assert proxy.asked == []


def test_the_environment_has_no_say(work, shop, serve):
    proxy = serve(HttpProxy())
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        work.environment[name] = f"http://127.0.0.1:{proxy.port}"
    configure(work, shop, host="127.0.0.1", allow_private=True)
    work.run("run")
    other = serve(HttpProxy())
    work.environment["no_proxy"] = work.environment["NO_PROXY"] = "*"
    configure(work, shop, proxy=f"http://127.0.0.1:{other.port}")
    work.run("run")
    assert proxy.asked == [] and other.asked


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "db.localhost", "10.0.0.7", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"])
def test_private_hosts_are_refused_through_a_proxy_too(work, shop, serve, host):
    proxy = serve(HttpProxy())
    configure(work, shop, host=host, proxy=f"http://127.0.0.1:{proxy.port}")
    one_line(work.run("run", code=3), "permission", "allow_private")
    assert proxy.asked == []


@pytest.mark.parametrize("leads,host", [("redirect", "169.254.169.254"), ("redirect", "other.example"), ("next", "10.0.0.7"), ("next", "other.example")])
def test_where_answers_lead_is_held_to_the_same(work, shop, serve, leads, host):
    """The proxy would go anywhere: hosts that nobody declared are not asked for, and private ones not even where they are allowed."""
    proxy = serve(HttpProxy())
    away = f"http://{host}:{shop.port}/a/orders"
    connector(work, pages='{ kind = "next_url", next = "next" }')
    work.configure(None, csv_target(work), connector="./bad.lua", config={"base_url": f"http://shop.example:{shop.port}"},
                   network={"proxy": f"http://127.0.0.1:{proxy.port}", "allow_hosts": [host] if host[0].isdigit() else []})
    answer = {"status": 302, "headers": {"Location": away}} if leads == "redirect" else {"body": {"orders": [], "next": away}}
    shop.control(fault={"match": "/orders", "times": 1, **answer})
    one_line(work.run("run", code=3), "permission", host if host[0].isalpha() else "allow_private")
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("options,code,class_name,says", [
    ({"user": "ann:right"}, 3, "auth", "USER:PASSWORD"),
    ({"refuse": 403}, 3, "permission", ""),
    ({"refuse": 502}, 4, "transient", ""),
], ids=["who", "no", "broken"])
def test_what_a_proxy_says_is_told(work, shop, serve, options, code, class_name, says):
    proxy = serve(HttpProxy(**options))
    configure(work, shop, proxy=f"http://127.0.0.1:{proxy.port}")
    one_line(work.run("run", code=code), class_name, says)


@pytest.mark.parametrize("proxy", ["proxy:3128", "ftp://proxy", "socks5://proxy:1080", "http://a b:80", "http://u%zz:p@proxy:1",
                                   "http://proxy:99999", "http://"])
def test_what_is_no_proxy_is_refused(work, shop, proxy):
    configure(work, shop, proxy=proxy)
    ended = work.run("run", code=2)
    assert "network.proxy: " in ended.err and "socks5h://HOST:PORT" in ended.err


# --- certificates of our own ---------------------------------------------------------------------------------------------------


class MutualTls(Server):
    """TLS in front of the shop, for those with a certificate of the authority; every connection says who came."""

    def __init__(self, authority, shop, asks=True, newest=ssl.TLSVersion.MAXIMUM_SUPPORTED):
        self.shop = shop
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(authority.folder / "server.pem", authority.folder / "server.key")
        self.context.load_verify_locations(authority.file)
        self.context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
        self.context.maximum_version = newest
        super().__init__()

    def serve(self, client):
        with socket.socket(fileno=os.dup(client.fileno())) as below:
            try:
                secure = self.context.wrap_socket(client, server_side=True)
            except ssl.SSLError:
                self.see_off(below)
                return
        with secure, socket.create_connection(("127.0.0.1", self.shop.port)) as to:
            self.asked.append(((secure.getpeercert() or {}).get("subject"), secure.version()))
            to.setblocking(True)
            threading.Thread(target=self.back, args=(to, secure), daemon=True).start()
            while data := secure.recv(65536):
                to.sendall(data)

    @staticmethod
    def see_off(below):
        """A reset, which unread bytes would make of the end, can overtake the alert that says why."""
        below.shutdown(socket.SHUT_WR)
        below.settimeout(30)
        while below.recv(65536):
            pass

    @staticmethod
    def back(source, secure):
        try:
            while data := source.recv(65536):
                secure.sendall(data)
            secure.close()
        except OSError:
            pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("tls") / "authority")
    for name in ("server", "client"):
        made.sign(name, "-days", "1")
    openssl("ec", "-in", made.folder / "client.key", "-aes256", "-passout", "pass:k3y-passw0rd", "-out", made.folder / "locked.key")
    for key in made.folder.glob("*.key"):
        key.chmod(0o600)
    return made


def configure_mutual(work, shop, server, authority, **network):
    connector(work)
    work.configure(None, csv_target(work), connector="./bad.lua", config={"base_url": f"https://localhost:{server.port}"},
                   network={"allow_private": True, "ca_file": str(authority.file), **network})


def test_a_source_that_asks_who_we_are_is_told(work, shop, serve, authority):
    server = serve(MutualTls(authority, shop))
    certificate = {"client_cert": str(authority.folder / "client.pem"), "client_key": str(authority.folder / "client.key")}
    configure_mutual(work, shop, server, authority, **certificate)
    work.run("run")
    staging_equals_oracle(work.folder / "staging", shop)
    assert server.asked
    work.environment["KEY_PASSWORD"] = "k3y-passw0rd"
    configure_mutual(work, shop, server, authority, client_cert=certificate["client_cert"],
                     client_key=str(authority.folder / "locked.key"), client_key_password="${KEY_PASSWORD}")
    assert "k3y-passw0rd" not in work.run("run", "--verbose").err


@pytest.mark.parametrize("proxied", ["http", "socks5h"])
def test_tls_is_spoken_with_the_source_behind_the_proxy(work, shop, serve, authority, proxied):
    """The proxy sees names and ports: no request, no key."""
    server, proxy = serve(MutualTls(authority, shop)), serve(HttpProxy() if proxied == "http" else SocksProxy())
    configure_mutual(work, shop, server, authority, client_cert=str(authority.folder / "client.pem"), client_key=str(authority.folder / "client.key"),
                     proxy=f"{proxied}://127.0.0.1:{proxy.port}")
    work.run("run")
    staging_equals_oracle(work.folder / "staging", shop)
    assert server.asked and set(proxy.asked) == {("CONNECT", f"localhost:{server.port}") if proxied == "http" else (3, "localhost")}


def test_the_oldest_tls_can_be_raised(work, shop, serve, authority):
    old, new = (serve(MutualTls(authority, shop, asks=False, newest=newest)) for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))
    configure_mutual(work, shop, new, authority, tls_min=1.3)
    work.run("run")
    assert {version for _, version in new.asked} == {"TLSv1.3"}
    configure_mutual(work, shop, old, authority, tls_min="1.3")
    one_line(work.run("run", code=4), "source", "cannot speak TLS", "tls_min")
    assert old.asked == []
    configure_mutual(work, shop, old, authority, tls_min="1.2")
    work.run("run")
    assert {version for _, version in old.asked} == {"TLSv1.2"}
    configure_mutual(work, shop, old, authority, tls_min="1.1")
    assert "tls_min" in work.run("run", code=2).err


def test_without_a_certificate_it_says_what_is_wanted(work, shop, serve, authority):
    server = serve(MutualTls(authority, shop))
    configure_mutual(work, shop, server, authority)
    one_line(work.run("run", code=3), "auth", "client_cert")


@pytest.mark.parametrize("network,says", [
    ({"client_cert": "client.pem"}, "there is no client_key beside it"),
    ({"client_cert": "client.key", "client_key": "client.key"}, "expected certificates in PEM form"),
    ({"client_cert": "client.pem", "client_key": "server.key"}, "do they belong together?"),
    ({"client_cert": "client.pem", "client_key": "locked.key", "client_key_password": "wrong"}, "client_key_password"),
    ({"client_cert": "client.pem", "client_key": "open.key"}, "chmod 600"),
    ({"client_cert": "missing.pem", "client_key": "client.key"}, "network.client_cert"),
], ids=["half", "no certificate", "another key", "wrong password", "open key", "missing"])
def test_wrong_certificates_are_mistakes_of_the_configuration(work, shop, serve, authority, network, says):
    server = serve(MutualTls(authority, shop))
    open_key = authority.folder / "open.key"
    if not open_key.exists():
        open_key.write_bytes((authority.folder / "client.key").read_bytes())
        open_key.chmod(0o644)
    paths = {key: str(authority.folder / value) if key != "client_key_password" else value for key, value in network.items()}
    configure_mutual(work, shop, server, authority, **paths)
    ended = work.run("run", code=2)
    assert says in ended.err and server.asked == []
