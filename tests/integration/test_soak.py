"""`./dev soak`, small: the same way through it, without judging times."""

import os
import pathlib
import subprocess
import sys

from conftest import ROOT, SLUICE

SMALL = ["0.3", "--pipelines", "30", "--every", "1m", "--wait", "2", "--stuck", "400", "--stuck-beside", "60", "--probe", "2", "--kills", "4",
         "--life", "0.7", "--readers", "3", "--watchers", "6", "--trouble", "0.5", "--reload", "2", "--warm-up", "3", "--look", "0.2", "--no-timing"]


def test_the_service_under_load_loses_nothing_and_keeps_nothing():
    is_sanitized = os.environ.get("SLUICE_PRESET") in ("asan", "tsan")
    ended = subprocess.run([sys.executable, ROOT / "tests" / "soak" / "soak.py", pathlib.Path(SLUICE).parent, *SMALL,
                            *(["--sanitized"] if is_sanitized else [])], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " 0 do not" in ended.stdout
