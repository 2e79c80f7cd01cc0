"""An API that a test makes up as it goes: it gives the answer to each request, and sees all of them."""

import http.server
import json
import threading
import urllib.parse


class Feed:
    """`with Feed(answer) as feed`: answer(path, query) gives the body, or (status, body), or (status, body, headers)."""

    def __init__(self, answer, tls=None):
        """`tls`: an ssl.SSLContext with a certificate for localhost."""
        self.answer = answer
        self.requests = []  # (path, query)
        self.headers = []  # of each of them
        feed = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                feed.requests.append((url.path, query))
                feed.headers.append(dict(self.headers))
                given = feed.answer(url.path, query)
                status, value, *headers = given if isinstance(given, tuple) else (200, given)
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, text in (headers[0] if headers else {}).items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a killed client hangs up

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


CONNECTOR = """
return sluice.connector {
  name = "feed", version = "%s", http = { base = "{{config.base_url}}" %s },
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  streams = { rows = { path = "/rows", records = "rows", %s
    fields = { id = "string", at = "timestamp", n = "integer" }, %s } },
}
"""


def configure(work, feed, database, stream, write_mode=None, version="1.0.0", name="p", key="id", once=False, **settings):
    """A pipeline of one stream `rows`, described by the Lua text `stream`; without a database into files. `once`: a
    request that fails is not tried again."""
    path = work.write("feed.lua", CONNECTOR % (version, ", retry = { tries = 1 }" if once else "",
                                              f'primary_key = "{key}",' if key else "", stream))
    choice = {"write_mode": write_mode} if write_mode else {}
    files = {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}
    target = {"type": "postgres", "url": database.url, "schema": "raw"} if database else files
    work.configure(feed, target, name=name, connector=path, streams={"rows": choice}, **settings)


def counted(ended):
    """The summary's columns of stream rows."""
    lines = [line.split() for line in ended.out.splitlines() if line.strip()]
    head = next(line for line in lines if "stream" in line)
    row = next(line for line in lines if "rows" in line)
    return dict(zip(head, row))
