"""`./dev serve-demo`: what it prints is there, and when it ends nothing is left."""

import json
import pathlib
import re
import signal
import subprocess
import urllib.request

from conftest import ROOT, SLUICE
from test_serve import wait_until


def test_the_demo_of_the_service():
    process = subprocess.Popen([ROOT / "examples" / "shop" / "serve-demo", pathlib.Path(SLUICE).parent, "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        address = re.search(r"The page is at (http://\S+)/", process.stdout.readline()).group(1)
        told = [process.stdout.readline() for _ in range(7)]
        folder = pathlib.Path(re.search(r"--file (\S+)/sluice.yaml", "".join(told)).group(1))

        def pipelines():
            listed = json.load(urllib.request.urlopen(f"{address}/api/v1/pipelines", timeout=30))["pipelines"]
            return {entry["name"]: entry for entry in listed}

        assert b"<title>sluice</title>" in urllib.request.urlopen(f"{address}/", timeout=30).read()
        wait_until(lambda: pipelines()["shop"]["status"] == "succeeded")
        assert pipelines()["shop"]["job"]["written"] >= 20000 and pipelines()["month_end"]["status"] == "never ran"
        ended = subprocess.run([SLUICE, "status", "--file", folder / "sluice.yaml", "--state-dir", folder / "state"], capture_output=True,
                               text=True, timeout=60)
        assert ended.returncode == 0 and "shop_slowly" in ended.stdout
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert not folder.exists()
