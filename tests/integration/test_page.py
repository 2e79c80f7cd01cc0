"""The page in a real Chromium: each test of tests/page/page.test.mjs is one here. Its pictures are left in build/pictures."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT, SLUICE

FOLDER = ROOT / "tests" / "page"
NAMES = re.findall(r'^ *test\(["`](.*?)["`], async', (FOLDER / "page.test.mjs").read_text(), re.M)


def cases():
    """Their names; one that is made for each of two schemes is two."""
    for name in NAMES:
        yield from (name.replace("${colorScheme}", scheme) for scheme in ("light", "dark")) if "$" in name else (name,)


@pytest.mark.parametrize("name", cases())
def test_page(name, database):
    environment = {**os.environ, "SLUICE_BIN": str(pathlib.Path(SLUICE).resolve()), "SLUICE_PICTURES": str(ROOT / "build" / "pictures"),
                   "SLUICE_DATABASE": database.url}
    ended = subprocess.run(["node", "--test", "--test-reporter=tap", f"--test-name-pattern=^{re.escape(name)}$", "page.test.mjs"],
                           cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^# pass 1$", ended.stdout, re.M), f"it was not run\n{ended.stdout}"
