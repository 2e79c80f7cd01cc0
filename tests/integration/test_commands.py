"""The commands as a person types them."""

import json
import pathlib
import re
import signal
import time

import pytest

COMMANDS = ("init", "run", "check", "discover", "preview", "state", "auth", "connector", "doctor", "help", "version")


def configure(work, shop, **settings):
    work.configure(shop, {"type": "csv", "path": str(work.folder / "staging")}, **settings)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(work, command):
    ended = work.run("help", command)
    assert ended.out.startswith(f"usage: sluice {command}")
    assert work.run(command, "--help").out == ended.out
    assert command in work.run("help").out


def test_help_has_topics(work):
    assert all(word in work.run("help", "exit-codes").out for word in ("the shrink guard", "143"))
    config = work.run("help", "config").out
    assert all(word in config for word in ("destinations", "pipelines", "write_mode", "compression", "schema"))
    assert "exit-codes" in work.run("help", "nonsense", code=2).err
    assert work.run("help").out == work.run(code=2).out
    assert re.fullmatch(r"sluice [0-9.]+\n", work.run("version").out)


def test_mistyped_commands_and_options_name_the_nearest(work):
    assert "run" in work.run("rn", code=2).err
    assert "--full-refresh" in work.run("run", "--full-refesh", code=2).err


def test_init_writes_a_file_that_the_program_accepts_and_never_overwrites(work):
    work.run("init")
    assert "SHOP_API_KEY" in (work.folder / "sluice.yaml").read_text()
    work.run("discover")
    work.run("init", code=2)


def test_check_lists_what_works_and_every_failure(work, shop):
    configure(work, shop)
    ended = work.run("check")
    assert "FAILED" not in ended.out and ended.out.count("ok") >= 4, ended
    configure(work, shop, config={"api_key": "wrong"})
    ended = work.run("check", code=3)
    assert "FAILED" in ended.out and "401" in ended.out, ended


def test_check_of_a_database_without_rights(work, shop, database):
    database.query("CREATE ROLE visitor LOGIN")
    database.query("REVOKE CREATE ON DATABASE \"" + database.name + "\" FROM visitor")
    url = database.url.replace("sluice@", "visitor@")
    work.configure(shop, {"type": "postgres", "url": url, "schema": "shop_raw"})
    ended = work.run("check", code=6)
    assert "FAILED" in ended.out, ended
    database.query("DROP ROLE visitor")


def test_discover_lists_streams_with_modes_and_keys(work, shop):
    configure(work, shop)
    out = work.run("discover").out
    assert re.search(r"orders +incremental append_dedup +id +updated_at", out), out
    streams = {stream["stream"]: stream for stream in json.loads(work.run("discover", "--json").out)}
    assert streams["order_events"]["fields"][0]["name"]
    assert shop.requests() == []


def test_preview_shows_records_and_writes_nothing(work, shop):
    configure(work, shop)
    ended = work.run("preview", "--stream", "orders", "-n", "3")
    # The request and its answer, how many records, an empty line, the header and 3 rows, an empty line, the schema.
    assert "total_amount" in ended.out and len(ended.out.strip().splitlines()) == 2 + 2 + 1 + 3 + 2, ended
    records = [json.loads(line) for line in work.run("preview", "--stream", "orders", "--json").out.splitlines()]
    assert len(records) == 10 and records[0]["id"] in shop.oracle("orders")
    assert not (work.folder / "staging").exists()


@pytest.mark.parametrize("kind", ["csv", "postgres"])
def test_state_is_shown_set_and_reset(work, shop, database, kind):
    target = {"type": "postgres", "url": database.url} if kind == "postgres" else {"type": "csv", "path": str(work.folder / "staging")}
    work.configure(shop, target, streams=["orders"])
    assert work.run("state", "show", "--json").out.strip() == "[]"
    work.run("run")
    newest = max(record["updated_at"] for record in shop.oracle("orders").values())
    entries = {entry["kind"]: entry for entry in json.loads(work.run("state", "show", "--json").out)}
    assert entries["cursor"]["value"][:19] == newest[:19]
    work.run("state", "set", "shop", "2024-02-03T04:05:06Z", "--stream", "orders")
    assert "2024-02-03T04:05:06Z" in work.run("state", "show").out
    work.run("state", "set", "shop", "yesterday", "--stream", "orders", code=2)
    work.run("state", "reset", "--stream", "orders")
    assert "2024-02-03T04:05:06Z" not in work.run("state", "show").out
    work.run("run")


def test_connector_list_and_describe(work):
    assert re.search(r"^shop +/", work.run("connector", "list").out, re.M)
    assert "orders" in work.run("connector", "describe", "shop").out
    first = work.run("connector", "describe", "shop", "--json").out
    assert first == work.run("connector", "describe", "shop", "--json").out
    description = json.loads(first)
    assert list(description) == sorted(description) and "orders" in description["streams"]


def test_dropped_in_connector_is_found_by_name(work):
    work.write("connectors/mine.lua", "return sluice.connector { name = 'mine', version = '1.0.0', http = { base = 'https://x.test' },"
                                      " streams = { things = { path = '/things' } } }")
    assert re.search(r"^mine +", work.run("connector", "list").out, re.M)
    assert "things" in work.run("connector", "describe", "mine").out


def test_doctor_shows_the_walls(work):
    out = work.run("doctor").out
    for wall in ("seccomp", "landlock", "no_new_privs"):
        assert wall in out, out


def test_json_events_are_one_object_a_line(work, shop):
    configure(work, shop, streams=["orders"])
    ended = work.run("run", "--log-format", "json")
    events = [json.loads(line) for line in ended.err.splitlines()]
    kinds = [event.get("event") for event in events if "event" in event]
    assert kinds[0] == "sync_started" and kinds[-1] == "sync_ended" and "load" in kinds
    assert events[-1]["exit_code"] == 0


def test_full_refresh_flag_reads_everything_again(work, shop, database):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    work.run("run")
    row = json.loads(work.run("run", "--full-refresh", "--json").out)[0]
    assert row["emitted"] == len(shop.oracle("orders")) and row["unchanged"] == row["emitted"]


def configure_two(work, shop, **config):
    configure(work, shop, streams=["orders"], config=config)
    project = json.loads((work.folder / "sluice.yaml").read_text())
    project["pipelines"]["other"] = project["pipelines"]["shop"]
    work.write("sluice.yaml", json.dumps(project))


def test_check_without_a_name_checks_every_pipeline(work, shop):
    configure_two(work, shop)
    out = work.run("check").out
    assert "pipeline 'shop'" in out and "pipeline 'other'" in out, out


def test_check_names_a_failed_step_once_with_what_to_do(work, shop):
    work.write("file", "")
    work.configure(shop, {"type": "csv", "path": str(work.folder / "file" / "below")})
    failed = [line for line in work.run("check", code=6).out.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1 and "; " in failed[0], failed


def test_pipeline_named_twice_runs_once(work, shop):
    configure_two(work, shop)
    rows = json.loads(work.run("run", "shop", "other", "shop", "--json").out)
    assert sorted(row["pipeline"] for row in rows) == ["other", "shop"]


def test_mistyped_pipeline_names_the_nearest_also_among_several(work, shop):
    configure_two(work, shop)
    assert "did you mean 'shop'" in work.run("run", "shp", code=2).err
    assert "did you mean 'shop'" in work.run("run", "other", "shp", code=2).err


def test_failures_of_several_pipelines_say_what_to_do(work, shop):
    configure_two(work, shop, api_key="wrong")
    ended = work.run("run", code=3)
    lines = [line for line in ended.err.splitlines() if line.startswith("error: auth: ")]
    assert len(lines) == 2 and all("; check the credentials" in line for line in lines), ended


@pytest.mark.parametrize("words", [["shop"], []])
def test_json_log_holds_nothing_but_json_when_the_configuration_is_wrong(work, shop, words):
    configure_two(work, shop, api_key="${NOT_SET}")
    ended = work.run("run", *words, "--log-format", "json", code=2)
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert events and all(event["error"]["class"] == "config" and event["error"]["hint"] for event in events), ended
    assert {event["pipeline"] for event in events} == set(words or ["shop", "other"])


def test_summary_as_json_holds_the_error_in_parts(work, shop):
    configure(work, shop, streams=["orders"], config={"api_key": "wrong"})
    row = json.loads(work.run("run", "--json", code=3).out)[0]
    assert row["error"]["class"] == "auth" and row["error"]["hint"] and row["cursor"] is None, row


def test_values_that_do_not_fit_are_told(work, shop):
    work.write("connectors/odd.lua", """return sluice.connector {
        name = "odd", version = "1.0.0", config = { base_url = { required = true }, api_key = { secret = true, required = true } },
        http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
        streams = { orders = { path = "/orders", records = "orders", fields = { id = "integer" } } } }""")
    configure(work, shop, connector="odd", streams=["orders"])
    ended = work.run("run")
    assert re.search(r"^warning: shop\.orders: [0-9,]+ values did not fit", ended.err, re.M), ended


def test_state_set_takes_one_stream_and_reset_either_streams_or_all(work, shop):
    configure(work, shop)
    work.run("state", "set", "shop", "2024-02-03T04:05:06Z", "--stream", "orders", "--stream", "customers", code=2)
    work.run("state", "reset", "--all", "--stream", "orders", code=2)
    assert "nothing is remembered" in work.run("state", "show").err


def test_live_display_shows_progress_the_wait_and_its_end(work, shop):
    """On a terminal of 80 columns no line wraps, and nothing of the display stays."""
    configure(work, shop, streams=["orders"])
    shop.fault(match="/orders", times=1, status=429, headers={"Retry-After": "2"})
    shown = on_terminal(work, "run", columns=80)
    assert re.search(r"waits until \d\d:\d\d:\d\dZ \(\d+ m?s\): Retry-After; rate limit: \d+ left", shown), shown
    assert re.search(r"orders +[\d,]+ rows +[\d,]+/s +[\d.]+ \w+", shown), shown
    for line in re.split(r"\r?\n", re.sub(r"\x1b\[\d*[A-Z]", "\r\n", shown)):
        assert len(line) <= 80 or line.startswith(("error: ", "shop.")), line


def on_terminal(work, *words, columns):
    """What the program wrote to a terminal of that width."""
    import fcntl
    import os
    import pty
    import struct
    import subprocess
    import termios
    from conftest import SLUICE
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([SLUICE, *words], cwd=work.folder, env=work.environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0, shown
    return shown.decode()


def test_two_signals_end_several_pipelines_and_leave_nothing(work, shop):
    pipeline = {"connector": "shop", "destination": "target", "network": {"allow_private": True}, "streams": ["orders"],
                "config": {"base_url": shop.url, "api_key": "${SHOP_API_KEY}"}}
    work.write("sluice.yaml", json.dumps({"destinations": {"target": {"type": "csv", "path": str(work.folder / "staging")}},
                                          "pipelines": {"one": pipeline, "two": pipeline}}))
    shop.fault(match="/orders", times=0, delay_ms=20000)
    process = work.start("run")
    while len(shop.requests("orders")) < 2 and process.poll() is None:
        time.sleep(0.02)
    children = [int(pid) for pid in (pathlib.Path(f"/proc/{process.pid}/task/{task.name}/children").read_text()
                                     for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir()) for pid in pid.split()]
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert len(children) == 2 and not any(pathlib.Path(f"/proc/{child}").exists() for child in children)


def test_verbose_shows_every_request_without_secrets(work, shop):
    work.configure(shop, {"type": "csv", "path": str(work.folder / "staging")}, streams=["orders"], config={"page_size": 100})
    ended = work.run("run", "-v")
    assert sum("GET http://127.0.0.1" in line and ": 200, " in line for line in ended.err.splitlines()) == 3, ended
