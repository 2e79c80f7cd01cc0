"""TLS and HTTP/2, against a real server: whose certificate is believed, and what is said when it is not."""

import os
import shutil
import subprocess

import pytest

from bad import connector, csv_target, one_line
from conftest import staging_equals_oracle
from postgres import free_port
from shop import Shop

pytestmark = pytest.mark.xdist_group("tls")  # one server for all

CA_CONFIG = """
[ca]
default_ca = authority
[authority]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost
"""


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


class Authority:
    """A private authority that signs certificates for "localhost"."""

    def __init__(self, folder):
        self.folder, self.file, self.key = folder, folder / "ca.pem", folder / "ca.key"
        folder.mkdir()
        (folder / "index").touch()
        (folder / "config").write_text(CA_CONFIG.format(folder=folder))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=a private authority", "-keyout", self.key, "-out", self.file)

    def sign(self, name, *validity):
        """Makes NAME.pem and NAME.key."""
        request, key = self.folder / f"{name}.csr", self.folder / f"{name}.key"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                "-keyout", key, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self.folder / "config", "-extensions", "leaf", "-cert", self.file,
                "-keyfile", self.key, "-in", request, "-out", self.folder / f"{name}.pem", *validity)


NGINX_CONFIG = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
{user}
events {{ worker_connections 64; }}
http {{
  log_format facts '$server_port $connection $server_protocol $ssl_protocol $status $request_uri';
  access_log {folder}/access.log facts;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/good.pem;
  ssl_certificate_key {folder}/good.key;
  server {{
    listen 127.0.0.1:{good} ssl http2;
    ssl_protocols TLSv1.2 TLSv1.3;
    location /insecure/ {{ return 302 http://localhost:{shop}/; }}
    location / {{ proxy_pass http://127.0.0.1:{shop}; }}
  }}
  server {{
    listen 127.0.0.1:{expired} ssl http2;
    ssl_certificate {folder}/expired.pem;
    ssl_certificate_key {folder}/expired.key;
    location / {{ proxy_pass http://127.0.0.1:{shop}; }}
  }}
  server {{
    listen 127.0.0.1:{old} ssl;
    ssl_protocols TLSv1.1;
    ssl_ciphers ALL:@SECLEVEL=0;
    location / {{ proxy_pass http://127.0.0.1:{shop}; }}
  }}
}}
"""
PORTS = ("good", "expired", "old")


class Front:
    """nginx before the shop emulator, with a port for each way a certificate can be good or bad."""

    def __init__(self, folder, shop):
        self.folder, self.shop = folder, shop
        self.authority = Authority(folder / "authority")
        self.ca_file = self.authority.file
        self.authority.sign("good", "-days", "1")
        self.authority.sign("expired", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
        for name in ("good", "expired"):
            for kind in ("pem", "key"):
                shutil.copy(self.authority.folder / f"{name}.{kind}", folder)
        for _ in range(5):  # a free port may be taken by another before nginx has it
            self.ports = {name: free_port() for name in PORTS}
            if self.start():
                return
        raise RuntimeError((folder / "error.log").read_text())

    def start(self):
        (self.folder / "nginx.conf").write_text(NGINX_CONFIG.format(
            folder=self.folder, shop=self.shop.port, user="user root;" if os.getuid() == 0 else "", **self.ports))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The pid file is written when all ports are open.
        for _ in range(600):
            try:
                self.process.wait(timeout=0.05)
                return False
            except subprocess.TimeoutExpired:
                if (self.folder / "nginx.pid").exists():
                    return True
        self.stop()
        return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def url(self, name="good", host="localhost", path=""):
        return f"https://{host}:{self.ports[name]}{path}"

    def requests(self, since=0):
        """What was answered: port, connection, protocol, TLS, status, path."""
        return [line.split() for line in (self.folder / "access.log").read_text().splitlines()][since:]


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    with Shop(orders=300) as shop:
        server = Front(tmp_path_factory.mktemp("tls"), shop)
        yield server
        server.stop()


def configure(work, front, url, **network):
    work.configure(front.shop, csv_target(work), streams=["orders"], config={"base_url": url, "page_size": 50},
                   network={"allow_private": True, **network})


def refused(work, front, code, *parts):
    """One error line, nothing asked of the shop, nothing tried again."""
    answered, asked = len(front.requests()), len(front.shop.requests())
    ended = work.run("run", code=code)
    one_line(ended, *parts, where="")
    assert len(front.shop.requests()) == asked, ended
    return ended, front.requests(answered)


def test_sync_over_http2_on_one_verified_connection(work, front):
    shutil.copy(front.ca_file, work.folder / "company.pem")
    configure(work, front, front.url(), ca_file="company.pem")
    before = len(front.requests())
    work.run("run")
    staging_equals_oracle(work.folder / "staging", front.shop)
    pages = [request for request in front.requests(before) if "/orders" in request[5]]
    assert len(pages) >= 6, pages
    assert {protocol for _, _, protocol, _, _, _ in pages} == {"HTTP/2.0"}
    assert {tls for _, _, _, tls, _, _ in pages} <= {"TLSv1.2", "TLSv1.3"}
    assert {status for _, _, _, _, status, _ in pages} == {"200"}
    assert len({connection for _, connection, _, _, _, _ in pages}) == 1, pages


def test_relative_ca_file_lies_beside_sluice_yaml(work, front, tmp_path_factory):
    shutil.copy(front.ca_file, work.folder / "company.pem")
    configure(work, front, front.url(), ca_file="company.pem")
    work.run("check", "-f", work.folder / "sluice.yaml")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (work.folder / "sluice.yaml").rename(elsewhere / "sluice.yaml")
    one_line(work.run("run", "-f", elsewhere / "sluice.yaml", code=2), "config", "network.ca_file", str(elsewhere / "company.pem"), where="")


def test_unknown_authority_is_refused_and_the_line_names_the_remedy(work, front):
    configure(work, front, front.url())
    ended, answered = refused(work, front, 4, "source", "localhost", "cannot trust the host", "certificate")
    assert "network: { ca_file: PATH }" in ended.err and not answered, ended


def test_another_authority_does_not_vouch_for_this_one(work, front):
    other = Authority(work.folder / "other")
    configure(work, front, front.url(), ca_file=str(other.file))
    refused(work, front, 4, "source", "cannot trust the host")


def test_expired_certificate_is_refused(work, front):
    configure(work, front, front.url("expired"), ca_file=str(front.ca_file))
    ended, answered = refused(work, front, 4, "source", "cannot trust the host", "expired")
    assert "renew" in ended.err and not answered, ended


def test_certificate_of_another_name_is_refused(work, front):
    configure(work, front, front.url(host="127.0.0.1"), ca_file=str(front.ca_file))
    ended, answered = refused(work, front, 4, "source", "cannot trust the host", "127.0.0.1")
    assert "another name" in ended.err and not answered, ended


def test_tls_before_1_2_is_refused(work, front):
    hello = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{front.ports['old']}", "-tls1_1", "-cipher",
                            "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert "Protocol  : TLSv1.1" in hello.stdout and hello.returncode == 0, hello  # the server does speak it
    configure(work, front, front.url("old"), ca_file=str(front.ca_file))
    ended, answered = refused(work, front, 4, "source", "cannot speak TLS")
    assert "TLS 1.2" in ended.err and not answered, ended


def test_https_to_a_port_that_speaks_none(work, front):
    configure(work, front, f"https://localhost:{front.shop.port}", ca_file=str(front.ca_file))
    assert "port" in refused(work, front, 4, "source", "cannot speak TLS")[0].err


def test_redirect_to_plain_http_is_not_followed(work, front):
    configure(work, front, front.url(path="/insecure"), ca_file=str(front.ca_file))
    _, answered = refused(work, front, 3, "permission", "302", "from https to plain http", "check the base URL")
    assert [request[4] for request in answered] == ["302"]


def test_next_page_over_plain_http_is_not_followed(work, front):
    connector(work, pages='{ kind = "next_url", next = "next" }')
    work.configure(front.shop, csv_target(work), connector="./bad.lua", config={"base_url": front.url()},
                   network={"allow_private": True, "ca_file": str(front.ca_file)})
    front.shop.control(fault={"match": "/orders", "times": 1, "body": {"orders": [], "next": f"{front.shop.url}/a/orders"}})
    before = len(front.shop.requests())
    one_line(work.run("run", code=3), "permission", "next page", "plain http: only https is allowed")
    assert len(front.shop.requests()) == before + 1


@pytest.mark.parametrize("content", [None, "", "no certificate\n", "cut"])
def test_ca_file_that_cannot_be_used_is_named_before_anything_is_sent(work, front, content):
    path = work.folder / "company.pem"
    if content == "cut":
        content = front.ca_file.read_text() + front.ca_file.read_text()[:200] + "\n-----END CERTIFICATE-----\n"
    if content is not None:
        path.write_text(content)
    configure(work, front, front.url(), ca_file=str(path))
    _, answered = refused(work, front, 2, "config", "network.ca_file", str(path))
    assert not answered and not (work.folder / "staging").exists()


def test_verification_has_no_off_switch(work, front):
    for key in ("verify", "insecure", "skip_verify"):
        configure(work, front, front.url(), **{key: True})
        assert key in refused(work, front, 2, "config")[0].err
