"""plugins/kafka against librdkafka's mock brokers over real sockets: each message once, whatever happens to brokers and to us."""

import base64
import json
import random
import signal
import ssl
import time

import pytest

from feed import Feed
from kafka import Kafka
from test_plugins import asked, rows_in, warehouse
from test_tls import Authority


@pytest.fixture
def kafka():
    with Kafka() as running:
        yield running


@pytest.fixture
def pipeline(work):
    """Writes a pipeline of a cluster; into CSV unless a database is given."""
    def make(cluster, database=None, streams=None, commit=None, network=None, **config):
        target = warehouse(database) if database else {"type": "csv", "path": "./out", "compression": "none"}
        described = {"connector": "kafka", "destination": "target", "network": {"allow_private": True, **(network or {})},
                     "config": {"brokers": cluster if isinstance(cluster, str) else cluster.brokers, **config},
                     **({"streams": streams} if streams else {}), **({"commit": commit} if commit else {})}
        work.write("sluice.yaml", json.dumps({"destinations": {"target": target}, "pipelines": {"kafka": described}}))
        return work
    return make


def offsets(work, topic="orders"):
    return sorted((int(row["partition"]), int(row["offset"])) for row in rows_in(work, "kafka", topic))


def whole(counts):
    """What offsets() says when each partition has its first so many messages, once."""
    return sorted((partition, offset) for partition, count in counts.items() for offset in range(count))


HEADERS = [("trace", "1"), ("trace", "2"), ("none", None), ("bytes", b"\xff\x00")]


def test_a_message_becomes_a_row_with_all_it_has(kafka, pipeline, database):
    kafka.topic("orders", 2)
    kafka.put("orders", ("a", '{"n": 1.50, "s": "caf\u00e9"}', HEADERS), ("a", None), (None, "[]"), ("", '"text"'))
    work = pipeline(kafka, database)
    assert "the plugin's check passed" in work.run("check").out
    work.run("run")
    assert asked(database, "SELECT topic, partition, \"offset\", key, value::text, headers::text, tombstone::text FROM raw.orders "
                           "ORDER BY \"offset\"") == [
        ["orders", "0", "0", "a", '{"n": 1.50, "s": "café"}',
         '[{"key": "trace", "value": "1"}, {"key": "trace", "value": "2"}, {"key": "none", "value": null}, '
         '{"key": "bytes", "base64": "/wA="}]', "false"],
        ["orders", "0", "1", "a", "", "", "true"],
        ["orders", "0", "2", "", "[]", "", "false"],
        ["orders", "0", "3", "", '"text"', "", "false"]]
    assert asked(database, "SELECT count(*) FROM raw.orders WHERE key IS NULL") == [["1"]], "no key and an empty one differ"
    assert asked(database, "SELECT DISTINCT timestamp_type, abs(extract(epoch FROM now() - timestamp)) < 3600 FROM raw.orders") == [
        ["create_time", "True"]]


def test_bad_messages_stop_nobody(kafka, pipeline, database):
    kafka.topic("orders")
    bad = ["{", b"\xff", "", "{} {}", '{"a":1,}', '"\x01"', "[" * 200 + "]" * 200, "nul"]
    kafka.put("orders", ("k", "{}"), *[(b"k\xfe" if i == 0 else "k", value) for i, value in enumerate(bad)], (b"\xff", "{}"), ("k", "1"))
    pipeline(kafka, database).run("run")
    assert asked(database, "SELECT \"offset\" FROM raw.orders ORDER BY 1") == [["0"], ["10"]]
    dead = asked(database, "SELECT \"offset\", encode(key, 'hex'), encode(value, 'hex'), reason FROM raw.orders_dead_letters ORDER BY 1")
    assert [int(row[0]) for row in dead] == list(range(1, 10))
    assert [row[2] for row in dead[:8]] == [(value.encode() if isinstance(value, str) else value).hex() for value in bad]
    assert dead[0][1] == "6bfe" and dead[0][3].startswith("key: it is not UTF-8") and dead[2][3] == "value: it is empty"


def test_what_a_destination_cannot_hold_stops_nobody(kafka, pipeline, database):
    kafka.topic("orders")
    kafka.put("orders", ("a\0b", '{"a": "\\u0000", "b": "\\ud800", "c": 1e400000}', [("h", b"\0")]), ("k", '{"a": 1, "a": 2}'), ("k", "[]"))
    pipeline(kafka, database).run("run")
    assert asked(database, "SELECT count(*) FROM raw.orders WHERE \"offset\" = 2") == [["1"]]
    assert asked(database, "SELECT key, value->>'a', value->>'b' FROM raw.orders WHERE \"offset\" = 0") == [["a\ufffdb", "\ufffd", "\ufffd"]]


def test_dead_letters_that_nobody_chose_are_told(kafka, pipeline):
    kafka.topic("orders")
    kafka.put("orders", ("k", "{"), ("k", "{}"))
    work = pipeline(kafka, streams={"orders": {}})
    assert "offset 0 of partition 0 is left out (value: " in work.run("run").err
    assert offsets(work) == [(0, 1)]


def test_upsert_keeps_the_newest_of_a_key_and_tombstones_delete(kafka, pipeline, database):
    kafka.topic("people")
    kafka.put("people", ("1", '{"name": "Ada"}'), ("2", '{"name": "Bob"}'), ("1", '{"name": "Ada L."}'), (None, "{}"))
    work = pipeline(kafka, database, mode="upsert", value_format="string")
    work.run("run")
    people = "SELECT key, value, \"offset\", _sluice_deleted::text FROM raw.people ORDER BY key"
    assert asked(database, people) == [["1", '{"name": "Ada L."}', "2", "false"], ["2", '{"name": "Bob"}', "1", "false"]]
    assert asked(database, "SELECT reason FROM raw.people_dead_letters") == [["key: there is none, and it is the primary key"]]
    kafka.put("people", ("2", None), ("3", "x"), ("3", None), ("4", None), ("4", "y"))
    work.run("run")
    assert [(row[0], row[3]) for row in asked(database, people) if row[3] == "false"] == [("1", "false"), ("4", "false")]
    assert ("2", "true") in [(row[0], row[3]) for row in asked(database, people)]


def test_confluent_frames_are_taken_off(kafka, pipeline):
    kafka.topic("orders")
    kafka.put("orders", ("k", b"\0\0\0\x01\x02{}"), ("k", "{}"), ("k", b"\0\0\0\x01\x02{"), ("k", None))
    work = pipeline(kafka, value_format="confluent_json")
    work.run("run")
    assert [(row["offset"], row["value"], row["value_schema"]) for row in rows_in(work, "kafka", "orders")] == [
        ("0", "{}", "258"), ("3", "", "")]
    assert [row["reason"].split(":")[0] for row in rows_in(work, "kafka", "orders_dead_letters")] == ["value", "value"]


ORDER_SCHEMA = {
    "$ref": "#/definitions/order",
    "definitions": {
        "money": {"oneOf": [{"type": "null"}, {"type": "number"}]},
        "order": {"type": "object", "properties": {
            "id": {"type": "integer"}, "total": {"$ref": "#/definitions/money"}, "paid": {"type": ["boolean", "null"]},
            "at": {"type": "string", "format": "date-time"}, "note": {"type": "string"}, "lines": {"type": "array"},
            "offset": {"type": "string"}, "mixed": {"type": ["string", "integer"]}, 'na"me': {"type": "string"}}}}}


def registry(schema=ORDER_SCHEMA, tls=None, text=None, **more):
    """A schema registry as Confluent's answers."""
    def answer(path, _):
        if path == "/subjects/orders-value/versions/latest":
            return {"subject": "orders-value", "version": 3, "id": 7, "schemaType": "JSON",
                    "schema": text or json.dumps(schema), **more}
        return 404, {"error_code": 40401, "message": "Subject not found."}
    return Feed(answer, tls)


def framed(document):
    return b"\0\0\0\0\x07" + (document if isinstance(document, bytes) else json.dumps(document).encode())


def test_schemas_of_the_registry_give_columns(kafka, pipeline, database):
    kafka.topic("orders")
    kafka.topic("plain")
    first = {"id": 1, "total": 12.50, "paid": True, "at": "2024-05-06T07:08:09Z", "note": "caf\u00e9 \"x\" \U0001f600", "lines": [1, {"a": None}],
             "offset": "theirs", "mixed": 5, 'na"me': "quoted", "new": "not in the schema"}
    kafka.put("orders", ("1", framed(first)), ("2", framed({"id": 2, "total": None, "id ": 0})), ("3", framed(b"[1]")), ("4", None),
              ("5", framed(br'{"id":5,"id":6, "note" : "a\u0041\/\ud800" , "paid":"maybe"}')))
    kafka.put("plain", ("1", framed({"id": 1})))
    with registry() as feed:
        work = pipeline(kafka, database, value_format="confluent_json", schema_registry=feed.url)
        assert "the plugin's check passed" in work.run("check").out
        work.run("run")
    rows = asked(database, 'SELECT "offset", id, total::text, paid::text, at AT TIME ZONE \'UTC\', note, lines::text, mixed::text, "na""me", value_schema '
                           'FROM raw.orders ORDER BY "offset"')
    assert rows[0] == ["0", "1", "12.5", "true", "2024-05-06 07:08:09", 'caf\u00e9 "x" \U0001f600', '[1, {"a": null}]', "5", "quoted", "7"]
    assert [row[:4] for row in rows[1:]] == [["1", "2", "", ""], ["2", "", "", ""], ["3", "", "", ""], ["4", "6", "", ""]]
    assert rows[4][5] == "aA/\ufffd"
    assert json.loads(asked(database, 'SELECT value::text FROM raw.orders WHERE "offset" = 0')[0][0]) == first, "nothing is lost"
    assert asked(database, "SELECT value::text FROM raw.plain") == [['{"id": 1}']]


def test_a_schema_that_grew_gives_a_column_more(kafka, pipeline, database):
    kafka.topic("orders")
    for properties, document in (({"id": {"type": "integer"}}, {"id": 1}), ({"id": {"type": "integer"}, "late": {"type": "date"}}, {"id": 2, "late": "x"})):
        kafka.put("orders", ("k", framed(document)))
        with registry({"properties": properties}) as feed:
            pipeline(kafka, database, value_format="confluent_json", mode="upsert", schema_registry=feed.url).run("run")
    assert asked(database, "SELECT key, id, late::text FROM raw.orders") == [["k", "2", '"x"']]


def test_schemas_that_give_no_columns_are_told(kafka, pipeline):
    kafka.topic("orders")
    for more, word in (({"schemaType": "AVRO"}, "of type AVRO"), ({"schemaType": None}, "of type AVRO"), ({"text": "{"}, "it is not JSON"),
                       ({"schema": "text"}, "no JSON Schema"), ({"schema": {"$ref": "#/definitions/gone"}}, "refers to what is not in it"),
                       ({"schema": {"properties": {f"p{i}": {} for i in range(1000)}}}, "more than 900 properties")):
        with registry(**more) as feed:
            assert word in pipeline(kafka, value_format="confluent_json", schema_registry=feed.url).run("run").err, more


@pytest.mark.parametrize("answer, code, word", [
    ((401, {"error_code": 401, "message": "Unauthorized"}), 3, "401"), ((403, {}), 3, "403"), ((404, {"message": "no such page"}), 4, "404"),
    ((404, {"error_code": 404}), 4, "404"), ((503, {}), 4, "503"), ((200, {"id": 3}), 4, "has no schema"), ((200, ["x"]), 4, "has no schema"),
    ((200, {"schema": 5}), 4, "has no schema")])
def test_what_a_registry_refuses_is_said(kafka, pipeline, answer, code, word):
    kafka.topic("orders")
    with Feed(lambda *_: answer) as feed:
        said = pipeline(kafka, value_format="confluent_json", schema_registry=feed.url).run("check", code=code)
        assert word in said.out + said.err


@pytest.mark.parametrize("url, code, word", [("http://127.0.0.1:1", 4, "127.0.0.1:1"), ("registry", 2, "cannot read the URL 'registry'"),
                                             ("ftp://127.0.0.1:1", 3, "ftp")])
def test_a_registry_that_is_not_there(kafka, pipeline, url, code, word):
    kafka.topic("orders")
    said = pipeline(kafka, value_format="confluent_json", schema_registry=url).run("check", code=code)
    assert word in said.out + said.err
    said = pipeline(kafka, value_format="binary", schema_registry="http://127.0.0.1:1").run("check", code=2)
    assert "values in JSON only" in said.out + said.err


def test_a_registry_gets_its_user_and_keeps_its_certificate(kafka, pipeline, tmp_path):
    kafka.topic("orders")
    with registry() as feed:
        work = pipeline(kafka, value_format="confluent_json", schema_registry=feed.url, schema_registry_username="key", schema_registry_password="pass:word")
        work.run("run")
        assert feed.headers[-1]["Authorization"] == "Basic " + base64.b64encode(b"key:pass:word").decode()
    authority, tls = Authority(tmp_path / "authority"), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.sign("registry", "-days", "1")
    tls.load_cert_chain(authority.folder / "registry.pem", authority.folder / "registry.key")
    with registry(tls=tls) as feed:
        unknown = pipeline(kafka, value_format="confluent_json", schema_registry=feed.url).run("check", code=4)
        assert "certificate" in unknown.out + unknown.err
        trusted = pipeline(kafka, network={"ca_file": str(authority.file)}, value_format="confluent_json", schema_registry=feed.url)
        assert "the plugin's check passed" in trusted.run("check").out


def test_formats_of_bytes_and_text(kafka, pipeline, database):
    kafka.topic("orders")
    kafka.put("orders", (b"\xff", "text"), ("k", "caf\u00e9"))
    pipeline(kafka, database, key_format="binary", value_format="string").run("run")
    assert asked(database, "SELECT encode(key, 'hex'), value FROM raw.orders ORDER BY \"offset\"") == [["ff", "text"], ["6b", "café"]]


def test_topics_are_chosen_by_name_pattern_and_regex(kafka, pipeline):
    for name in ("orders", "orders.eu", "returns", "audit-1", "audit-x"):
        kafka.topic(name)
    for topics, names in (("*", {"orders", "orders.eu", "returns", "audit-1", "audit-x"}), ("orders*, !*.eu", {"orders"}),
                          ("^audit-[0-9]$", {"audit-1"}), ("!returns,!audit*", {"orders", "orders.eu"})):
        found = pipeline(kafka, topics=topics).run("discover").out
        assert {line.split()[0] for line in found.splitlines()[1:] if "_dead_letters" not in line.split()[0]} == names, topics


def test_a_sync_goes_on_where_the_last_one_ended(kafka, pipeline):
    kafka.topic("orders", 3)
    kafka.fill("orders", 500, partition=0)
    kafka.fill("orders", 30, partition=2)
    work = pipeline(kafka)
    work.run("run")
    assert offsets(work) == whole({0: 500, 2: 30})
    work.run("run")
    assert len(offsets(work)) == 530, "nothing comes twice"
    kafka.fill("orders", 7, partition=1)
    kafka.fill("orders", 100, partition=0)
    work.run("run")
    assert offsets(work) == whole({0: 600, 1: 7, 2: 30})


def test_huge_messages_are_rows_or_dead_letters(kafka, pipeline):
    kafka.topic("orders")
    kafka.fill("orders", 1, first=0, size=12_000_000)
    kafka.fill("orders", 1, first=1, size=15_500_000)
    kafka.fill("orders", 1, first=2, size=100)
    work = pipeline(kafka, value_format="binary", database=None)
    work.run("run")
    assert sum(path.stat().st_size for path in (work.folder / "out").rglob("*.csv")) > 24_000_000
    kafka.fill("orders", 10, first=3)
    work = pipeline(kafka, streams={"orders": {"select": ["offset", "key"], "sync_mode": "full_refresh"},
                                    "orders_dead_letters": {"sync_mode": "full_refresh"}})
    work.folder.joinpath("out").rename(work.folder / "before")
    work.run("run")
    assert [row["key"] for row in rows_in(work, "kafka", "orders")] == [f"k{n}" for n in range(13) if n != 1]
    assert [(row["offset"], row["value"], row["reason"]) for row in rows_in(work, "kafka", "orders_dead_letters")] == [
        ("1", "", "message: it is larger than 14 MiB")]


def test_names_of_brokers_are_resolved(kafka, pipeline):
    kafka.topic("orders")
    kafka.fill("orders", 5)
    work = pipeline(kafka.brokers.replace("127.0.0.1", "localhost"))
    work.run("run")
    assert offsets(work) == whole({0: 5})


@pytest.mark.parametrize("place", [0, 1])
def test_a_name_that_nobody_knows_keeps_nobody_from_the_others(kafka, pipeline, place):
    kafka.topic("orders", 2)
    kafka.fill("orders", 10, partition=1)
    brokers = [kafka.brokers]
    brokers.insert(place, "gone.invalid:9092")
    work = pipeline(",".join(brokers))
    work.run("run")
    assert offsets(work) == whole({1: 10})


def test_names_that_nobody_knows(pipeline):
    said = pipeline("gone.invalid:9092,gone-too.invalid:9092", timeout_seconds=5).run("check", code=4)
    assert ".invalid" in said.out + said.err


def test_start_at_the_end(kafka, pipeline):
    kafka.topic("orders", 2)
    kafka.fill("orders", 50)
    work = pipeline(kafka, start="latest")
    work.run("run")
    assert offsets(work) == []
    kafka.fill("orders", 5)
    kafka.fill("orders", 5, partition=1)
    work.run("run")
    assert offsets(work) == [(0, 50 + i) for i in range(5)] + [(1, i) for i in range(5)], "where it stood is remembered"


def test_partitions_that_came_later_are_read_from_their_beginning(work, pipeline):
    for partitions in (1, 3):
        with Kafka() as cluster:
            cluster.topic("orders", partitions)
            for partition in range(partitions):
                cluster.fill("orders", 20, partition=partition)
            pipeline(cluster, start="latest").run("run")
    assert offsets(work) == whole({1: 20, 2: 20}), "those of the first sync began at their end"


def test_fewer_partitions_are_another_topic(work, pipeline):
    for partitions, code in ((3, 0), (2, 5)):
        with Kafka() as cluster:
            cluster.topic("orders", partitions)
            ended = pipeline(cluster).run("run", code=code)
    assert "'orders' has 2 partitions, and had 3 before" in ended.err


def lose_offsets(kafka, work):
    """The state wants offset 10 of a log that begins later."""
    kafka.topic("orders")
    kafka.fill("orders", 10)
    work.run("run")
    for first in range(0, 100, 10):
        kafka.fill("orders", 10, first=10 + first, size=120_000)


def test_lost_messages_are_an_error(kafka, pipeline):
    work = pipeline(kafka)
    lose_offsets(kafka, work)
    ended = work.run("run", code=5)
    assert "offsets 10 to " in ended.err and "were deleted before they were read" in ended.err and "on_lost_offsets" in ended.err
    assert offsets(work) == whole({0: 10})


@pytest.mark.parametrize("choice", ["earliest", "latest"])
def test_lost_messages_can_be_passed_over(kafka, pipeline, choice):
    work = pipeline(kafka, on_lost_offsets=choice)
    lose_offsets(kafka, work)
    assert "going on at" in work.run("run").err
    later = [offset for _, offset in offsets(work) if offset >= 10]
    assert later == (list(range(later[0], 110)) if choice == "earliest" else [])
    kafka.fill("orders", 3, first=110)
    work.run("run")
    assert [offset for _, offset in offsets(work)][-3:] == [110, 111, 112]


def test_a_topic_that_was_made_anew_is_an_error(work, pipeline):
    with Kafka() as first:
        first.topic("orders")
        first.fill("orders", 20)
        pipeline(first).run("run")
    with Kafka() as second:
        second.topic("orders")
        second.fill("orders", 5)
        ended = pipeline(second).run("run", code=5)
        assert "ends at offset 5, and was read up to 20 before" in ended.err


@pytest.mark.parametrize("kind", ["csv", "postgres"])
def test_kills_at_any_moment_lose_and_double_nothing(pipeline, kind, request):
    database = request.getfixturevalue("database") if kind == "postgres" else None
    kills = 0
    with Kafka(brokers=2, batch=50) as kafka:
        kafka.topic("orders", 4)
        for partition in range(4):
            kafka.fill("orders", 3000, partition=partition)
        for broker in (1, 2):
            kafka.say("delay", broker, 20)  # so that there is time to be killed in
        work = pipeline(kafka, database, commit={"bytes": "32KiB", "seconds": 1})
        for round_ in range(30):
            if round_ % 3 == 2:
                kafka.fault(Kafka.FETCH, Kafka.HANG_UP)
            process = work.start("run")
            time.sleep(random.uniform(0.1, 0.4 + 0.1 * round_))
            if process.poll() is not None:
                process.communicate()
                break
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        work.run("run")
    assert kills >= 2, "there was nothing to be killed in"
    if kind == "csv":
        assert offsets(work) == whole(dict.fromkeys(range(4), 3000))
        return
    assert asked(database, "SELECT partition, count(*), count(DISTINCT \"offset\"), min(\"offset\"), max(\"offset\") FROM raw.orders "
                           "GROUP BY 1 ORDER BY 1") == [[str(p), "3000", "3000", "0", "2999"] for p in range(4)]
    assert asked(database, "SELECT count(*) FROM raw.orders WHERE (value->>'n')::int <> \"offset\"") == [["0"]]


def test_faults_of_brokers_are_waited_out(pipeline):
    with Kafka(brokers=3, batch=50) as kafka:
        kafka.topic("orders", 6)
        for partition in range(6):
            kafka.fill("orders", 2000, partition=partition)
        work = pipeline(kafka)
        kafka.fault(Kafka.LIST_OFFSETS, Kafka.NOT_LEADER, 2)
        kafka.fault(Kafka.METADATA, Kafka.HANG_UP, 2)
        kafka.fault(Kafka.FETCH, Kafka.HANG_UP, 3)
        kafka.fault(Kafka.FETCH, Kafka.NOT_LEADER, 3)
        kafka.fault(Kafka.FETCH, Kafka.OFFSET_OUT_OF_RANGE, 1)
        work.run("run")
        assert offsets(work) == whole(dict.fromkeys(range(6), 2000))
        for broker in (1, 2, 3):
            kafka.say("delay", broker, 10)
        for partition in range(6):
            kafka.fill("orders", 1000, partition=partition, first=2000)
        process = work.start("run")
        time.sleep(0.3)
        kafka.say("down", 2)
        time.sleep(1)
        kafka.say("up", 2)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert offsets(work) == whole(dict.fromkeys(range(6), 3000))


def test_continuous_runs_wait_for_what_comes(kafka, pipeline, database):
    kafka.topic("orders", 2)
    kafka.fill("orders", 100)
    work = pipeline(kafka, database, commit={"seconds": 1}, options="topic.metadata.refresh.interval.ms=200")
    process = work.start("run", "--continuous")
    counted = "SELECT coalesce((SELECT count(*) FROM raw.orders), 0)"
    try:
        for round_, expected in enumerate((100, 150, 250)):
            if expected > 100:
                kafka.fill("orders", expected - 100 if round_ == 1 else 100, partition=1)
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                if asked(database, "SELECT to_regclass('raw.orders') IS NOT NULL") == [["True"]] \
                        and asked(database, counted) == [[str(expected)]]:
                    break
                time.sleep(0.05)
            else:
                pytest.fail(f"{asked(database, counted)} of {expected} rows came")
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    work.run("run")
    assert asked(database, counted) == [["250"]]


def test_what_is_refused_is_said(kafka, pipeline):
    kafka.topic("orders")
    kafka.fill("orders", 5)
    for code, says, config in (
            (2, "there is no topic 'nowhere'", {"topics": "nowhere"}),
            (2, "config.start is no time: 'yesterday'", {"start": "yesterday"}),
            (2, "config.options cannot set plugin.library.paths; it runs code", {"options": "plugin.library.paths=/tmp/x.so"}),
            (2, "config.options cannot set enable.auto.commit", {"options": "client.rack=a; enable.auto.commit=true"}),
            (2, 'No such configuration property: "no.such"', {"options": "no.such=1"}),
            (2, "one of its regular expressions is broken", {"topics": "^("})):
        ended = pipeline(kafka, **config).run("run", code=code)
        assert says in ended.err, ended


def test_no_topic_at_all(kafka, pipeline):
    kafka.topic("orders")
    ended = pipeline(kafka, topics="none*").run("check", code=2)
    assert "no topic is wanted and seen" in ended.out + ended.err


def test_a_topic_that_may_not_be_read(kafka, pipeline):
    kafka.topic("orders")
    kafka.fill("orders", 5)
    work = pipeline(kafka, topics="orders")
    kafka.fault(Kafka.FETCH, Kafka.TOPIC_DENIED, 100)
    ended = work.run("run", code=3)
    assert "Topic authorization failed" in ended.err and "grant READ" in ended.err


def test_brokers_that_are_away(pipeline):
    import socket
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ended = pipeline(f"127.0.0.1:{port}", timeout_seconds=1).run("check", code=4)
    assert "could not list the topics: " in ended.out + ended.err and "are the brokers up" in ended.out + ended.err


def test_a_broker_on_a_port_that_is_not_named(pipeline):
    with Kafka(brokers=2) as kafka:
        kafka.topic("orders", 2)
        for partition in range(2):
            kafka.say("leader", "orders", partition, partition + 1)
            kafka.fill("orders", 5, partition=partition)
        ended = pipeline(kafka.brokers.split(",")[0], timeout_seconds=5).run("run", code=2)
        assert "a port that `brokers` does not name" in ended.err


def test_brokers_that_speak_something_else(kafka, pipeline):
    kafka.topic("orders")
    ended = pipeline(kafka, security_protocol="sasl_ssl", sasl_mechanism="SCRAM-SHA-512", sasl_username="u",
                     sasl_password="s3cr3t-pa55", timeout_seconds=1).run("check", code=4)
    assert "SSL" in ended.out + ended.err and "with this `security_protocol`?" in ended.out + ended.err
    assert "s3cr3t" not in ended.out + ended.err


def test_private_brokers_need_leave(kafka, work, pipeline):
    kafka.topic("orders")
    pipeline(kafka)
    path = work.folder / "sluice.yaml"
    path.write_text(path.read_text().replace('"allow_private": true', '"allow_private": false'))
    ended = work.run("run", code=3)
    assert "allow_private: true" in ended.err
