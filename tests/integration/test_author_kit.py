"""What helps a connector's author and its users: lint, docs, the schema of its configuration, the editor's annotations."""

import json
import re

import pytest

from conftest import BUNDLED, ROOT

GOOD = {
    "name": '"mine"', "version": '"1.2.0"',
    "config": '{ api_key = { secret = true, required = true, title = "API key" }, region = { type = "enum", values = { "eu", "us" }, default = "eu" } }',
    "http": '{ base = "https://api.example.com", auth = { kind = "bearer", token = "{{config.api_key}}" }, headers = { ["X-Region"] = "{{config.region}}" } }',
    "check": '{ path = "/me" }',
    "streams": """{ orders = { path = "/orders", records = "data", primary_key = "id",
        pages = { kind = "page", param = "page", more = "has_more" },
        cursor = { field = "updated_at", param = "since" },
        fields = { id = "string", total = "decimal", updated_at = "timestamp" } } }""",
}


def connector(work, name="mine.lua", before="", **keys):
    members = ",\n".join(f"{key} = {value}" for key, value in {**GOOD, **keys}.items())
    return work.write(name, f"{before}\nreturn sluice.connector {{\n{members}\n}}")


def stream(**keys):
    """The good stream with other keys; None takes one out."""
    own = {"path": '"/orders"', "records": '"data"', "primary_key": '"id"', "pages": '{ kind = "page", param = "page", more = "has_more" }',
           "cursor": '{ field = "updated_at", param = "since" }', "fields": '{ id = "string", total = "decimal", updated_at = "timestamp" }'}
    return "{ orders = { " + ", ".join(f"{k} = {v}" for k, v in {**own, **keys}.items() if v) + " } }"


def lint(work, path, *words, code=0):
    return [(f["level"], f["rule"], f["place"]) for f in json.loads(work.run("connector", "lint", path, "--json", *words, code=code).out)]


def test_nothing_is_said_about_a_good_one(work):
    assert lint(work, connector(work), "--strict") == []
    for path in BUNDLED:
        assert lint(work, ROOT / path, "--strict") == []


@pytest.mark.parametrize("keys, finding", [
    ({"config": "{ api_key = { secret = true }, region = {}, session_token = { default = 'x' } }",
      "http": GOOD["http"].replace("{{config.region}}", "{{config.region}}{{config.session_token}}")}, ("error", "unmarked-secret", "config.session_token")),
    ({"http": '{ base = "https://api.example.com", auth = { kind = "bearer", token = "abc123" }, params = { a = "{{config.api_key}}{{config.region}}" } }'},
     ("error", "literal-credential", "http.auth.token")),
    ({"config": "{ api_key = { secret = true }, signer = {}, region = {} }",
      "http": '{ base = "https://api.example.com", params = { a = "{{config.api_key}}{{config.region}}" }, auth = { kind = "oauth2", token_url = "/t", '
              'grant = "jwt_bearer", assertion = { issuer = "x", key = "{{config.signer}}" } } }'},
     ("error", "unmarked-secret", "config.signer")),
    ({"http": '{ base = "https://api.example.com", params = { a = "{{config.api_key}}{{config.region}}" }, auth = { kind = "oauth2", token_url = "/t", '
              'grant = "jwt_bearer", assertion = { issuer = "x", key = "-----BEGIN PRIVATE KEY-----" } } }'},
     ("error", "literal-credential", "http.auth.assertion.key")),
    ({"config": "{ api_key = { secret = true }, region = {}, pem = {} }",
      "http": '{ base = "https://api.example.com", params = { a = "{{config.api_key}}{{config.region}}" }, auth = { kind = "jwt", key = "{{ config.pem }}" } }'},
     ("error", "unmarked-secret", "config.pem")),
    ({"streams": stream(path='"https://other.example.com/v1/orders/{{config.region}}"')}, ("error", "undeclared-host", "streams.orders.path")),
    ({"check": "nil"}, ("note", "no-check", "check")),
    ({"streams": stream(primary_key=None)}, ("warning", "no-primary-key", "streams.orders")),
    ({"streams": stream(cursor=None)}, ("warning", "no-cursor", "streams.orders")),
    ({"streams": stream(pages=None)}, ("note", "no-pages", "streams.orders")),
    ({"streams": stream(pages='{ kind = "page", param = "page" }')}, ("warning", "unbounded-pages", "streams.orders.pages")),
    ({"streams": stream(params='{ fields = "{{stream.fields}}" }', fields_from='{ path = "/fields" }')}, ("warning", "long-url", "streams.orders")),
    ({"streams": stream(errors='{ { status = "4xx", action = "ignore" }, { status = { 404, "410-415" }, path = "a", action = "fail" } }')},
     ("warning", "unreachable-rule", "streams.orders.errors.1")),
    ({"config": "{ api_key = { secret = true }, region = {}, unused = {} }"}, ("warning", "unused-config", "config.unused")),
])
def test_what_lint_finds(work, keys, finding):
    """That, and nothing else."""
    assert lint(work, connector(work, **keys), code=2 if finding[0] == "error" else 0) == [finding]


def test_a_declared_host_and_a_later_broader_rule_are_fine(work):
    http = GOOD["http"].replace("base =", 'hosts = { "*.example.com" }, base =')
    errors = '{ { status = 404, action = "ignore" }, { status = "4xx", action = "fail" }, { path = "x", action = "fail" } }'
    assert lint(work, connector(work, http=http, streams=stream(path='"https://other.example.com/v1/orders"', errors=errors))) == []


def test_a_stream_that_says_that_it_is_read_as_a_whole_needs_no_cursor(work):
    assert lint(work, connector(work, streams=stream(cursor=None, sync_modes='"full_refresh"'))) == []


def test_every_case_of_a_choice_is_looked_at(work):
    streams = stream(pages='sluice.select("region", { eu = { kind = "page", param = "p" }, us = { kind = "page", param = "p", more = "m" } })')
    assert lint(work, connector(work, streams=streams)) == [("warning", "unbounded-pages", "streams.orders.pages")]


def test_a_description_that_depends_on_the_time_is_found(work):
    path = connector(work, version='"1.0." .. os.time()')
    assert lint(work, path, code=2) == [("error", "impure", "init.lua")]


def test_warnings_are_errors_when_asked(work):
    path = connector(work, streams=stream(primary_key=None))
    lint(work, path, "--strict", code=2)
    said = work.run("connector", "lint", path).out
    assert "warning: streams.orders: without a primary key" in said and said.endswith("0 errors, 1 warning, 0 notes\n")


@pytest.mark.parametrize("keys, rule, place", [
    ({"streams": stream().replace("orders =", "invoices =", 1)}, "stream-removed", "streams.orders"),
    ({"streams": stream(fields='{ id = "string", updated_at = "timestamp" }')}, "field-removed", "streams.orders.fields.total"),
    ({"streams": stream(fields='{ id = "integer", total = "decimal", updated_at = "timestamp" }')}, "type-changed", "streams.orders.fields.id"),
    ({"streams": stream(primary_key='{ "id", "total" }')}, "key-changed", "streams.orders.primary_key"),
    ({"streams": stream(cursor='{ field = "total", param = "since" }')}, "cursor-changed", "streams.orders.cursor.field"),
    ({"streams": stream(sync_modes='{ "full_refresh" }')}, "mode-changed", "streams.orders.sync_modes"),
    ({"config": GOOD["config"].replace("region =", "zone ="), "http": GOOD["http"].replace("config.region", "config.zone")}, "config-removed", "config.region"),
    ({"config": GOOD["config"].replace('"eu", "us"', '"eu"')}, "config-changed", "config.region.values"),
    ({"config": GOOD["config"].replace("region", "more = { required = true }, region"), "http": GOOD["http"].replace("{{config.region}}", "{{config.region}}{{config.more}}")},
     "config-required", "config.more"),
])
def test_what_breaks_needs_a_major_version(work, keys, rule, place):
    old, same = connector(work, "old.lua"), connector(work, "same.lua", version='"1.3.0"', **keys)
    assert set(lint(work, same, "--against", old, code=2)) == {("warning", rule, place), ("error", "breaking-change", "version")}
    major = connector(work, "major.lua", version='"2.0.0"', **keys)
    assert lint(work, major, "--against", old) == [("warning", rule, place)]


def test_what_is_added_breaks_nothing(work):
    old = connector(work, "old.lua")
    new = connector(work, "new.lua", streams=stream(fields='{ id = "string", total = "decimal", updated_at = "timestamp", note = "string" }'),
                    config=GOOD["config"].replace("region", "zone = {}, region"), http=GOOD["http"].replace("{{config.region}}", "{{config.region}}{{config.zone}}"))
    assert lint(work, new, "--against", old, "--strict") == []


def test_docs_name_every_stream_field_and_entry(work):
    """In the README of the bundled connector, too."""
    docs = work.run("connector", "docs", ROOT / "connectors/shop").out
    description = json.loads(work.run("connector", "describe", ROOT / "connectors/shop", "--json").out)
    readme = (ROOT / "connectors/shop/README.md").read_text()
    for name in [*description["streams"], *description["config"], "order_items"]:
        assert f"`{name}`" in docs and f"`{name}`" in readme
    for field in description["streams"]["orders"]["fields"]:
        assert f"| `{field}` |" in docs


def test_the_schema_of_the_configuration(work):
    schema = json.loads(work.run("connector", "describe", connector(work), "--config-schema").out)
    assert schema["required"] == ["api_key"] and schema["additionalProperties"] is False
    assert schema["properties"]["api_key"] == {"type": "string", "title": "API key", "writeOnly": True, "order": 0}
    assert schema["properties"]["region"] == {"type": "string", "enum": ["eu", "us"], "default": "eu", "order": 1}


def test_annotations_cover_the_bundled_connectors(work):
    """Each key that they use is one the editor knows."""
    known = set(re.findall(r"---@field (\w+)\??", (ROOT / "sdk/lua/description.lua").read_text()))

    def keys(node, names_follow):
        for key, value in node.items():
            if not names_follow:
                yield key
            if isinstance(value, dict) and key not in ("$select", "cases", "headers", "params", "copy", "fields", "types", "capture", "body"):
                yield from keys(value, key in ("config", "streams", "explode", "cases"))

    for path in BUNDLED:
        description = json.loads(work.run("connector", "describe", ROOT / path, "--json").out)
        assert {key for key in keys(description, False) if not key.startswith("$") and key != "cases"} <= known


# --- connector new ---------------------------------------------------------------------------------------------------------

def new(work, text=None, name="acme", code=0):
    """Makes one; its source, its description, and what was said."""
    words = ["--from", work.write("seen", text)] if text is not None else []
    ended = work.run("connector", "new", name, *words, code=code)
    if code:
        return ended.err
    source = (work.folder / "connectors" / name / "init.lua").read_text()
    return source, json.loads(work.run("connector", "describe", name, "--json").out)


def test_a_new_connector_runs_and_is_never_overwritten(work):
    _, description = new(work)
    assert description["name"] == "acme" and lint(work, "acme", "--strict")[0][1] == "no-check"
    assert "is there already" in new(work, code=2)
    assert "is no name of a connector" in new(work, name="Not-One", code=2)


CURL = """$ curl -XGET 'https://api.acme.com/v2/invoices?page=1&per_page=50&status=it%27s%20open&updated_since=2024-01-01' \\
  -H 'Accept: application/json' -H "Authorization: Bearer sk_live_\\"x\\"SECRET" -H 'sec-ch-ua: "x"' \\
  --cookie 'session=SECRET' -o out.json --compressed -H $'X-Version: 2024'
"""


def test_new_from_a_curl_command(work):
    source, description = new(work, CURL)
    assert "SECRET" not in source
    assert description["config"]["base_url"]["default"] == "https://api.acme.com/v2"
    assert description["http"]["auth"] == {"kind": "bearer", "token": "{{config.api_key}}"}
    assert description["http"]["headers"] == {"Accept": "application/json", "X-Version": "2024"}
    assert description["streams"] == {"invoices": {
        "path": "/invoices", "params": {"status": "it's open"},
        "pages": {"kind": "page", "param": "page", "size": 50, "size_param": "per_page", "stop": "short"}}}


@pytest.mark.parametrize("options, auth", [
    ("-u me:SECRET", "basic"), ("-H 'X-Api-Key: SECRET'", "api_key"), ("-H 'Authorization: Token SECRET'", "bearer"), ("-H 'Authorization: SECRET'", "api_key"), ("", None)])
def test_credentials_of_a_curl_command(work, options, auth):
    source, description = new(work, f"curl {options} api.acme.com/orders")
    assert "SECRET" not in source and description["http"].get("auth", {}).get("kind") == auth
    assert any(entry.get("secret") for entry in description["config"].values()) == bool(auth)


def test_new_from_a_post_whose_body_holds_braces_and_a_key(work):
    body = json.dumps({"filter": {"text": "{{x}}", "api_key": "SECRET", "and": [1, 2.5, True, None, []]}})
    source, description = new(work, f"curl https://api.acme.com/v1/deals/search --data-raw '{body}'")
    stream, = description["streams"].values()
    assert "SECRET" not in source and list(description["streams"]) == ["deals"] and stream["idempotent"]
    assert stream["body"] == {"filter": {"text": '{{"{{"}}x}}', "api_key": "", "and": [1, 2.5, True, None, []]}}


def test_new_from_a_session(work):
    def entry(method, url, answer, headers=(), **more):
        return {"request": {"method": method, "url": url, "headers": [dict(zip(("name", "value"), h)) for h in headers]},
                "response": {"headers": [], "content": {"text": json.dumps(answer)}, **more}}

    records = [{"id": 1, "score": 1, "updated_at": "2024-01-01T00:00:00Z", "day": "2024-01-01", "tags": [], "vip": True, "note": None, "$odd key": "x"},
               {"id": 2, "score": 2.5, "updated_at": None, "note": "y"}]
    here = "https://crm.example.com/api/v1"
    source, description = new(work, json.dumps({"log": {"entries": [
        entry("GET", here + "/contacts?limit=2&cursor=abc&api_key=SECRET", {"data": {"items": records}, "meta": {"next_cursor": "zz", "has_more": True}}),
        entry("GET", here + "/contacts?limit=2&cursor=zz", {"data": {"items": records}}),
        entry("GET", here + "/me", {"name": "one"}),
        entry("GET", "https://cdn.example.com/list", [{"id": 1}]),
        entry("OPTIONS", here + "/deals", []),
        entry("GET", here + "/deals", [{"deal_id": "d"}], headers=[("X-Trace", "1")]),
        {"request": {}, "response": {}}]}}))
    assert "SECRET" not in source
    assert description["streams"]["contacts"] == {
        "path": "/contacts", "records": "data.items", "primary_key": "id",
        "pages": {"kind": "cursor", "param": "cursor", "next": "meta.next_cursor", "more": "meta.has_more", "size": 2, "size_param": "limit"},
        "fields": {"id": "integer", "score": "decimal", "updated_at": "timestamp", "day": "date", "tags": "json", "vip": "boolean", "note": "string", "$$odd key": "string"}}
    assert description["streams"]["deals"] == {"path": "/deals", "primary_key": "deal_id", "fields": {"deal_id": "string"}}
    assert set(description["streams"]) == {"contacts", "deals"}
    assert description["http"]["auth"] == {"kind": "api_key", "key": "{{config.api_key}}", "name": "api_key", "into": "query"}


OPENAPI = {
    "openapi": "3.0.1", "info": {"title": "Acme \"CRM\""}, "servers": [{"url": "https://api.acme.com/v3/"}],
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        "parameters": {"limit": {"name": "limit", "in": "query"}},
        "schemas": {"Order": {"allOf": [{"properties": {"id": {"type": "string"}}}, {"properties": {
            "total": {"type": "number"}, "updated_at": {"type": "string", "format": "date-time"}, "lines": {"type": "array"}, "self": {"$ref": "#/components/schemas/Order"}}}]}}},
    "paths": {
        "/orders": {"parameters": [{"$ref": "#/components/parameters/limit"}], "get": {
            "parameters": [{"name": "after", "in": "query"}, {"name": "updated_after", "in": "query"}, {"name": "X-Trace", "in": "header"}],
            "responses": {"200": {"content": {"application/json": {"schema": {"properties": {
                "next_cursor": {"type": "string"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}}}}}}}}}},
        "/orders/{id}": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {"properties": {"a": {}}}}}}}}}},
        "/status": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"properties": {"ok": {"type": "boolean"}}}}}}}}},
        "/loop": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/paths/~1loop"}}}}}}}}}


def test_new_from_an_openapi_document(work):
    _, description = new(work, json.dumps(OPENAPI))
    assert description["title"] == 'Acme "CRM"' and description["config"]["base_url"]["default"] == "https://api.acme.com/v3"
    assert description["http"]["auth"] == {"kind": "api_key", "key": "{{config.api_key}}", "name": "X-Key"}
    assert description["streams"] == {"orders": {
        "path": "/orders", "records": "data", "primary_key": "id",
        "pages": {"kind": "cursor", "param": "after", "next": "next_cursor", "size": 100, "size_param": "limit"},
        "cursor": {"field": "updated_at", "param": "updated_after", "start": "{{config.start}}"},
        "fields": {"id": "string", "total": "decimal", "updated_at": "timestamp", "lines": "json", "self": "json"}}}


@pytest.mark.parametrize("text, says", [
    ("", "neither a curl command nor JSON"),
    ("openapi: 3.0.0", "neither a curl command nor JSON"),
    ("{}", "neither a HAR session"),
    ("[1]", "neither a HAR session"),
    ('{"openapi": "3.0.0", "paths": 7}', "no GET of the document"),
    (json.dumps({"openapi": "3.0.0", "paths": {"/a": {"get": {"responses": {"200": {"content": {"json": {"schema": {"$ref": "#/x"}}}}}}}}, "x": {"$ref": "#/x"}}), "no GET of the document"),
    ('{"log": {"entries": {}}}', "no request in the session"),
    ("curl", "there is no URL"),
    ("curl 'https://x", "a quote in the curl command is not closed"),
    ("curl 'https://user:pass@x/y'", "seen"),
    ("curl ':::'", "seen"),
])
def test_what_nothing_can_be_made_of(work, text, says):
    assert says in new(work, text, code=2)
    assert not (work.folder / "connectors").exists()
