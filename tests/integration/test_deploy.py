"""examples/deploy: what can be validated without a cluster is: the configuration serves, the unit verifies, options exist."""

import base64
import json
import pathlib
import re
import shlex
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from conftest import ROOT, SLUICE
from test_serve import Service
from test_serve_api import Api

DEPLOY = ROOT / "examples" / "deploy"
KUBERNETES = [document for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for document in yaml.safe_load_all(path.read_text())]


def pod_of(document):
    """The template of what runs pods; None for what runs none."""
    spec = document["spec"].get("jobTemplate", document)["spec"]
    return spec.get("template")


def commands():
    """Every sluice command line, by where it stands."""
    for document in KUBERNETES:
        if pod_of(document):
            yield document["metadata"]["name"], pod_of(document)["spec"]["containers"][0]["args"]
    unit = (DEPLOY / "systemd" / "sluice.service").read_text()
    yield "systemd", shlex.split(re.search(r"^ExecStart=\S+/sluice (.*)$", unit, re.M).group(1))
    dag = (DEPLOY / "airflow" / "sluice_github.py").read_text()
    compile(dag, "sluice_github.py", "exec")
    yield "airflow", shlex.split(re.search(r'bash_command="exec sluice (.*)"', dag).group(1))
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    yield "docker", json.loads(re.search(r"^CMD (.*)$", dockerfile, re.M).group(1))


@pytest.fixture
def deployed(work, database, postgres):
    """The example's sluice.yaml, with an environment for it."""
    store = postgres.create_database("store_" + database.name)
    work.environment.update(WAREHOUSE_URL=database.url, STORE_URL=store.url, GITHUB_OWNER="acme", GITHUB_TOKEN="ghp_x", TOKEN_KEY=base64.b64encode(bytes(32)).decode(),
                            OPERATOR_TOKEN_SHA256="0" * 64, PROMETHEUS_TOKEN_SHA256="1" * 64)
    shutil.copy(DEPLOY / "sluice.yaml", work.folder / "sluice.yaml")
    return work


def test_the_configuration_serves(deployed):
    token = deployed.run("serve", "--new-token")
    deployed.environment["OPERATOR_TOKEN_SHA256"] = re.search("sha256: ([0-9a-f]{64})", token.err).group(1)
    deployed.environment["GITHUB_TOKEN"] = ""  # nothing is asked of GitHub here
    with Service(deployed) as service:
        api = Api(service, token.out.strip())
        listed = api.get("/api/v1/pipelines")["pipelines"]
        assert [entry["name"] for entry in listed] == ["github"] and "every 1h" in listed[0]["schedule"]
        schema = api.get("/api/v1/connectors/github")
        jsonschema.validate(yaml.safe_load((DEPLOY / "sluice.yaml").read_text())["pipelines"]["github"]["config"], schema)


def test_what_the_service_needs_no_secret_for_needs_none(deployed):
    for name in ("WAREHOUSE_URL", "GITHUB_OWNER", "GITHUB_TOKEN"):
        del deployed.environment[name]
    assert "every 1h" in deployed.run("schedule").out
    assert "github" in deployed.run("status").out
    ended = deployed.run("run", "--queued", "github", code=2)
    assert "WAREHOUSE_URL" in ended.err, "the run itself says what it lacks"


@pytest.mark.parametrize("where, words", commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_options_exist(work, where, words):
    known = set(re.findall(r"--[a-z-]+", work.run("help", words[0]).out))
    assert {word for word in words if word.startswith("--")} <= known
    file = words[words.index("--file") + 1]
    assert file == "/etc/sluice/sluice.yaml" and words[words.index("--state-dir") + 1] == "/var/lib/sluice"


def test_the_unit_is_verified(tmp_path):
    unit = (DEPLOY / "systemd" / "sluice.service").read_text()
    path = tmp_path / "sluice.service"
    path.write_text(unit.replace("/usr/local/bin/sluice", SLUICE))
    ended = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60)
    told = [line for line in ended.stderr.splitlines() if "sluice.service" in line]
    assert ended.returncode == 0 and not told, ended.stderr


def test_pods_mount_what_their_commands_use():
    assert [document["kind"] for document in KUBERNETES] == ["CronJob", "Deployment", "Service"]
    for document in KUBERNETES:
        pod = pod_of(document)
        if not pod:
            continue
        container = pod["spec"]["containers"][0]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert {"/etc/sluice", "/var/lib/sluice", "/tmp"} == mounts.keys()
        assert set(mounts.values()) == {volume["name"] for volume in pod["spec"]["volumes"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] and pod["spec"]["securityContext"]["runAsNonRoot"]
    deployment, service = KUBERNETES[1:]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert [port["containerPort"] for port in container["ports"]] == [7077]
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {"/readyz", "/healthz"}


def test_the_image_has_the_libraries_it_needs():
    """What the programs and plugins that are installed ask for, by Debian's package."""
    folder = pathlib.Path(SLUICE).parent
    files = [folder / "sluice", folder / "sluice-worker", *sorted((folder / "plugins").glob("*.so"))]
    asked = subprocess.run(["readelf", "-d", *map(str, files)], capture_output=True, text=True, check=True).stdout
    needed = set()
    for library in set(re.findall(r"\(NEEDED\).*\[(lib(?!c\.so|m\.so|pthread|asan|ubsan|tsan|gcc_s|stdc)[^\]]+)\]", asked)):
        owners = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True, check=True).stdout
        needed |= {line.split(":")[0] for line in owners.splitlines()}
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    listed = re.search(r"--no-install-recommends ([^&]*)&&", text).group(1).split()
    missing = {package for package in needed if package not in listed}
    assert not missing
    assert set(listed) - needed <= {"ca-certificates", "tzdata", "libssl3"}
