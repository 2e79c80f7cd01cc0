"""The author's kit offline: cassettes that are recorded and replayed, and the cases of connectors."""

import http.server
import io
import json
import shutil
import threading
import zipfile

import pytest

from conftest import ROOT
from shop import API_KEY


def configure(work, shop, **config):
    work.configure(shop, {"type": "csv", "path": str(work.folder / "staging")}, **config)


def test_a_recording_is_replayed_without_the_source_and_without_its_secrets(work, shop):
    configure(work, shop)
    live = json.loads(work.run("run", "--json", "--record", "shop.http").out)
    text = (work.folder / "shop.http").read_text()
    assert "> GET /a/orders?" in text and "\nnow: 20" in text
    assert API_KEY not in text
    shutil.rmtree(work.folder / "staging")
    yaml = work.folder / "sluice.yaml"
    yaml.write_text(yaml.read_text().replace(API_KEY, "${NOT_SET_ANYWHERE}"))
    replayed = json.loads(work.run("run", "--json", "--replay", "shop.http").out)
    counts = lambda summary: sorted(json.dumps(s, sort_keys=True) for s in keep(summary))  # noqa: E731
    assert counts(replayed) == counts(live)


def keep(summary):
    """Name, status and counts of each stream of a summary."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            if "stream" in value:
                found.append({k: value.get(k) for k in ("stream", "status", "emitted", "written", "cursor")})
            for below in value.values():
                walk(below)
        elif isinstance(value, list):
            for below in value:
                walk(below)

    walk(summary)
    assert found
    return found


def test_preview_shows_requests_and_schema_from_a_cassette(work, shop):
    configure(work, shop)
    work.run("preview", "--stream", "customers", "--record", "shop.http")
    out = work.run("preview", "--stream", "customers", "--replay", "shop.http").out
    assert "> GET /a/customers?" in out and "< 200, " in out
    assert "id string key" in out
    ended = work.run("preview", "--stream", "orders", "--replay", "shop.http", code=4)
    assert "cannot replay" in ended.err and "the path is /a/orders, not /a/customers" in ended.err
    assert "exclude each other" in work.run("preview", "--record", "a", "--replay", "b", code=2).err


def test_the_bundled_connectors_pass_their_cases(work):
    for folder in sorted((ROOT / "connectors").glob("*/cases")):
        out = work.run("connector", "test", str(folder.parent)).out
        assert f"{len(list(folder.glob('*.yaml')))} ok, 0 failed" in out
    assert "1 ok, 0 failed" in work.run("connector", "test", str(ROOT / "sdk/template/lua")).out


@pytest.fixture
def copy(work):
    """A copy of the shop connector, to spoil."""
    shutil.copytree(ROOT / "connectors/shop", work.folder / "myshop")
    return work.folder / "myshop"


@pytest.mark.parametrize(
    "case,old,new,says",
    [
        ("pages", '"name": "Cyd", "updated_at": "2024-06-01T09:00:00Z"}\n        {', '"name": "X", "updated_at": "2024-06-01T09:00:00Z"}\n        {', "rows of customers"),
        ("pages", "cursor 2024-05-02", "cursor 2024-05-01", "state"),
        ("pages", "page=2&", "page=7&", "parameter page is '2', not '7'"),
        ("pages", "Bearer key-1", "Bearer key-2", "header Authorization is"),
        ("limited", "after: 60s", "after: 2m", "came 60000 ms after"),
        ("refused", "class: auth", "class: data", "+ auth of customers"),
        ("refused", "    error:\n      class: auth\n      stream: customers\n", "    #", "- none"),
        ("empty", "{\"customers\": [],", "{\"customers\": [{\"name\": \"no key\"}],", "missing_primary_key"),
    ],
)
def test_a_case_that_differs_fails_and_says_where(work, copy, case, old, new, says):
    path = copy / "cases" / f"{case}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    if new == "    #":
        path.write_text("\n".join(l for l in path.read_text().splitlines() if not l.strip().startswith(("#      message", "message"))))
    ended = work.run("connector", "test", "./myshop", case, code=7)
    assert "FAILED  shop/" in ended.out.replace("myshop/", "shop/") or "FAILED" in ended.out
    assert says in ended.out
    assert f"rerun: sluice connector test ./myshop {case}" in ended.out
    line = json.loads(work.run("connector", "test", "./myshop", case, "--json", code=7).out)
    assert line["status"] == "failed" and says in line["report"]


def test_update_writes_what_came_and_keeps_the_rest(work, copy):
    before = {path.name: path.read_text() for path in (copy / "cases").iterdir()}
    work.run("connector", "test", "./myshop", "--update")
    assert {path.name: path.read_text() for path in (copy / "cases").iterdir()} == before
    path = copy / "cases" / "pages.yaml"
    path.write_text(path.read_text().replace('"name": "Béla"', '"name": "Other"', 1))  # in the exchange alone
    work.run("connector", "test", "./myshop", "pages", code=7)
    work.run("connector", "test", "./myshop", "pages", "--update")
    work.run("connector", "test", "./myshop", "pages")
    assert path.read_text() == before["pages.yaml"].replace('"name": "Béla"', '"name": "Other"')


BARE = """return sluice.connector { name = "bare", version = "1", config = { api_key = { secret = true } },
  http = { base = "https://bare.test/v1", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { %s } }"""
SEEN = """now: 2024-06-01T00:00:00Z
> GET /v1/a
< 200
<
< {"items": [{"id": 1, "owner_id": "x", "sku": "a", "updated_at": "2024-01-01T00:00:00Z", "hush-hush-key": 1.5},
<   {"id": 1, "owner_id": "y", "sku": null}], "meta": {"next_cursor": "n2", "has_more": true}}
> GET /v1/b?page=1&per_page=50&since=2024-01-01
< 200
< Link: <https://bare.test/v1/b?page=2>; rel="next"
<
< [{"kind": "x"}, {"kind": "x"}]
> GET /v1/c
< 200
<
< {"name": "no list"}
"""


@pytest.fixture
def bare(work):
    """A connector that declares nothing but paths."""
    path = work.write("bare.lua", BARE % ('a = { path = "/a", records = "items" }, b = { path = "/b", params = { page = "1", per_page = "50", since = "2024-01-01" } },'
                                          'c = { path = "/c", records = "list" }'))
    work.configure(None, {"type": "csv", "path": str(work.folder / "staging")}, connector=path)
    yaml = work.folder / "sluice.yaml"
    yaml.write_text(yaml.read_text().replace('"base_url": "http://127.0.0.1:1",', "").replace("${SHOP_API_KEY}", "hush-hush-key"))
    work.write("seen.http", SEEN)


def test_what_answers_show_is_proposed_as_lua(work, bare):
    a, b = (work.run("preview", "--detect", "--stream", s, "--replay", "seen.http").out for s in "ab")
    assert '      records = "items", primary_key = "owner_id",' in a  # two records have the same id
    assert 'pages = { kind = "cursor", param = "cursor", next = "meta.next_cursor", more = "meta.has_more" }' in a
    assert "'updated_at' says when a record changed" in a and 'sku = "string"' in a
    assert "hush" not in a and '["***"] = "decimal"' in a
    assert "no field tells the records that came apart" in b and 'pages = { kind = "link_header", size = 50, size_param = "per_page" }' in b
    assert "> GET" not in a + b
    out = work.run("preview", "--detect", "--replay", "seen.http", code=None).out
    assert out.index("what was seen of 'a'") < out.index("what was seen of 'b'") and out.count('records = "items"') == 1
    assert "no answer of 'c' is JSON that holds a list" in work.run("preview", "--detect", "--stream", "c", "--replay", "seen.http", code=None).out
    assert "exclude each other" in work.run("preview", "--detect", "--json", code=2).err
    work.write("bare.lua", BARE % ("a = { path = '/a',\n%s}" % a))  # it is ready to be declared
    declared = json.loads(work.run("connector", "describe", "./bare.lua", "--json").out)["streams"]["a"]
    assert declared["primary_key"] == "owner_id" and declared["fields"]["updated_at"] == "timestamp"


def test_discover_samples_fields_that_nobody_declared(work, bare):
    find = lambda *words: {f["name"]: f for f in json.loads(work.run("discover", "--stream", "a", "--json", *words).out)[0]["fields"]}  # noqa: E731
    assert find() == {}
    fields = find("--sample", "--replay", "seen.http")
    assert fields["owner_id"] == {"name": "owner_id", "type": "string", "key": False, "declared": False}
    assert fields["id"]["type"] in ("decimal", "integer") and "***" in fields and not any("hush" in name for name in fields)


REFUSED = """config: { base_url: "https://shop.test", api_key: key-1 }
pipeline: { streams: [customers, orders] }
syncs:
  - error: # both
      message: "***403***"
      class: permission
    # the source refuses both
    exchanges: |
      > GET /a/customers?page=1&limit=1000&sort=updated_at&updated_after=2024-01-01T00:00:00Z
      < 403
      <
      > GET /a/orders?page=1&limit=1000&sort=updated_at&updated_after=2024-01-01T00:00:00Z
      < 403
      <
    rows: {}
"""


def test_a_failure_of_each_stream_is_expected(work, copy):
    path = copy / "cases" / "refused.yaml"
    path.write_text(REFUSED)
    work.run("connector", "test", "./myshop", "refused")
    work.run("connector", "test", "./myshop", "refused", "--update")
    assert path.read_text() == REFUSED
    path.write_text(REFUSED.replace("class: permission\n", "class: permission\n      stream: orders\n"))
    out = work.run("connector", "test", "./myshop", "refused", code=7).out
    assert "+ permission of customers: " in out and "of orders" not in out
    work.run("connector", "test", "./myshop", "refused", "--update")
    updated = path.read_text()
    assert updated.startswith(REFUSED.split("  - error")[0] + "  - error:\n"), updated
    assert '      - message: "***403***"\n        class: permission\n        stream: orders\n      - class: permission\n        stream: customers\n' in updated
    assert updated.endswith(REFUSED[REFUSED.index("    # the source"):])
    work.run("connector", "test", "./myshop", "refused")
    path.write_text(updated.replace("class: permission", "class: source", 1))
    assert "- source of orders: ***403***" in work.run("connector", "test", "./myshop", "refused", code=7).out
    path.write_text(REFUSED.replace("class: permission", "klass: permission").replace("  - error: # both", "  - error:\n    - class: what\n    - 5\n    xerror:"))
    err = work.run("connector", "test", "./myshop", "refused", code=2).err
    assert "syncs.0.error.0.class" in err and "syncs.0.error.1: expected a map" in err


def test_update_keeps_the_order_and_the_words_of_what_fits(work, copy):
    path = copy / "cases" / "pages.yaml"
    text = path.read_text()
    ada, bela, cy = [line for line in text.splitlines() if line.startswith('        {"id"')][:3]
    swapped = text.replace(f"{ada}\n{bela}\n{cy}\n", f"{cy}\n        {{\"name\": \"***\",  \"id\": \"c1\", \"email\": \"ada@example.com\", \"updated_at\": \"***\"}}\n", 1)
    assert swapped != text
    path.write_text(swapped)
    work.run("connector", "test", "./myshop", "pages", code=7)
    work.run("connector", "test", "./myshop", "pages", "--update")
    lines = [l for l in path.read_text().splitlines() if l.startswith("        {")][:3]
    assert lines == [cy, '        {"name": "***",  "id": "c1", "email": "ada@example.com", "updated_at": "***"}', bela]
    work.run("connector", "test", "./myshop", "pages")


def record(work, case, **options):
    """With a state directory of its own: limits are shared with everybody."""
    return work.run("connector", "test", "./myshop", case, "--record", "shop", "--state-dir", work.folder / "state" / "sluice", **options)


@pytest.mark.shop(orders=30)
def test_a_case_is_recorded_from_the_real_source(work, shop, copy):
    configure(work, shop, connector="./myshop", streams={"orders": {}})
    path = copy / "cases" / "first.yaml"
    out = record(work, "first").out
    assert "recorded 1 request in " in out and "1 case updated" in out
    text = path.read_text()
    assert API_KEY not in text and "api_key: \"made-up-api_key\"" in text and "> Authorization: ***" in text
    assert text.count('{"id": "') >= 30 and "orders cursor 20" in text and not (work.folder / "staging").exists()
    work.run("connector", "test", "./myshop", "first")  # offline, without credentials


@pytest.mark.shop(orders=30)
def test_a_case_is_recorded_anew_and_keeps_what_its_author_wrote(work, shop, copy):
    configure(work, shop, connector="./myshop", config={"page_size": 10})
    path = copy / "cases" / "again.yaml"
    path.write_text("""# What it is for.
syncs: # two
  # the first
  - exchanges: |
      > GET /
      < 200
    rows: # all
      orders: |
        {"id": "***", "***": "***"}
  - cassette: again.http

pipeline: { streams: { orders: { max_pages: 2 } } }
config: { base_url: "https://shop.test", page_size: 7, api_key: key-9 }
# The end.
""")
    out = record(work, "again").out
    assert "recorded 4 requests" in out, out
    text = path.read_text()
    assert text.startswith("# What it is for.\nsyncs: # two\n  # the first\n  - now: 20") and text.endswith("# The end.\n")
    assert "page_size: \"10\"" in text and "limit=10" in text and "api_key: \"key-9\"" in text and "streams: { orders: { max_pages: 2 } }" in text
    assert (copy / "cases" / "again.http").read_text().count("> GET /a/orders?") == 2
    work.run("connector", "test", "./myshop", "again")


def test_what_cannot_be_recorded_is_said(work, shop, copy):
    configure(work, shop, connector="./myshop")
    before = {path.name: path.read_text() for path in (copy / "cases").iterdir()}
    for words, code, says in [
        (["./myshop", "--record", "shop"], 2, "--record is for one case"),
        (["./myshop", "../x", "--record", "shop"], 2, "--record is for one case"),
        (["./myshop", "pages", "--record", "shpo"], 2, "did you mean 'shop'"),
    ]:
        assert says in work.run("connector", "test", *words, code=code).err
    (copy / "cases" / "line.yaml").write_text('syncs: [{ exchanges: "> GET /\\n< 200\\n", rows: {} }]\n')
    assert "several keys of a sync stand in one line" in record(work, "line", code=2).err
    (copy / "cases" / "line.yaml").unlink()
    yaml = work.folder / "sluice.yaml"
    yaml.write_text(yaml.read_text().replace("allow_private", "allow_pravate"))
    record(work, "new", code=2)
    assert {path.name: path.read_text() for path in (copy / "cases").iterdir()} == before


def test_every_mistake_of_a_case_is_told_with_its_line(work, copy):
    (copy / "cases" / "bad.yaml").write_text(
        "sync: 3\nsyncs:\n  - exchanges: |\n      > GET orders\n      > Foo\n      < 999\n      nonsense\n    rowz: {}\n"
    )
    err = work.run("connector", "test", "./myshop", "bad", code=2).err
    for line, says in ((1, "did you mean 'syncs'"), (8, "did you mean 'rows'"), (4, "GET orders"), (5, "Foo"), (6, "999"), (7, "nonsense")):
        assert any(f"bad.yaml:{line}: " in l and says in l for l in err.splitlines()), (line, err)
    assert "no case 'none'" in work.run("connector", "test", "./myshop", "none", code=2).err


class Files(http.server.BaseHTTPRequestHandler):
    """Answers that come packed, and in parts."""

    def do_GET(self):
        rows = b"id,name\n" + b"".join(b"%d,row %d\n" % (n, n) for n in range(200))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rows.csv", rows)
        body = packed.getvalue() if self.path.startswith("/zip") else rows
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_packed_and_streamed_answers_are_recorded_and_replayed(work):
    stream = '%s = { path = "/%s", primary_key = "id", fields = { id = "integer", name = "string" }, format = %s },'
    path = work.write("files.lua", 'return sluice.connector { name = "files", version = "1.0.0", config = { base_url = {}, api_key = { secret = true } }, '
                      'http = { base = "{{config.base_url}}" }, streams = { %s } }' % "".join([
                          stream % ("zip", "zip", '{ kind = "csv", compression = "zip" }'),
                          stream % ("long", "long", '{ kind = "csv", stream = true }')]))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    work.configure(None, {"type": "csv", "path": str(work.folder / "staging")}, connector=path, name="files",
                   config={"base_url": f"http://127.0.0.1:{server.server_port}"})
    live = json.loads(work.run("run", "--json", "--record", "files.http").out)
    server.shutdown()
    server.server_close()
    shutil.rmtree(work.folder / "staging")
    replayed = json.loads(work.run("run", "--json", "--replay", "files.http").out)
    assert keep(live) == keep(replayed) and {row["written"] for row in keep(live)} == {200}
