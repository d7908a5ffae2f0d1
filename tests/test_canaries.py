"""The scan for canaries finds leaks, and reports nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PROGRAM = """
import logging, secrets, warnings
import pytest
from browser_use_async import errors
from tests.support.hygiene import KEY, LIVE_TOKEN, SECRET, SIGNATURE

def fails(value):
    raise errors.ConfigurationError("no")

def caught(value):
    with pytest.raises(errors.ConfigurationError):
        fails(value)

def test_leaks_in_a_debug_record(): logging.getLogger("deep.inside").debug("sent %s", KEY)
def test_leaks_in_a_logged_traceback():
    try: raise ValueError(SECRET)
    except ValueError: logging.getLogger("deep.inside").exception("odd")
def test_leaks_in_the_text_of_an_error(): errors.ConfigurationError("no " + SIGNATURE)
def test_leaks_in_an_attribute(): errors.InvalidRequestError("no", field=KEY)
def test_leaks_in_a_local_variable(): caught([LIVE_TOKEN])
def test_clean_until_its_warnings_are_told(): warnings.warn("about " + SECRET)
def test_leaks_told_after_a_warning_of_the_test_before(): pass
def test_leaks_in_a_file(tmp_path): (tmp_path / "a.bin").write_bytes(b"\\0" + KEY.encode())
def test_leaks_in_the_name_of_a_file(tmp_path): (tmp_path / f"{SIGNATURE}.part").touch()
def test_leaks_the_key_of_a_server(tmp_path):
    (tmp_path / "a").write_text("bu_local_" + secrets.token_urlsafe(24))

def test_clean_errors(): caught("nothing")
def test_clean_records(): logging.getLogger("deep.inside").debug("sent %s", "***")
def test_clean_files(tmp_path): (tmp_path / "a").write_text("bu_local_ is how keys begin")
@pytest.mark.canaries_by_design("files")
def test_clean_by_design(tmp_path): (tmp_path / "a").write_text(KEY)
@pytest.mark.canaries_by_design("files")
def test_leaks_beside_the_design(): logging.getLogger().debug(KEY)
def test_clean_after_all_that(): pass
"""
LEAKS, CLEAN = PROGRAM.count("def test_leaks"), PROGRAM.count("def test_clean")


def _run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests of a folder with the scan, without plugins that take long to load."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.canaries",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [*command, *options, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
@pytest.mark.timeout(180)
def test_the_scan_finds_each_leak(tmp_path, tmp_path_factory):
    """Tests that leak on purpose: each fails in its teardown, and no other does."""
    (tmp_path / "test_leaks.py").write_text(PROGRAM)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    elsewhere = tmp_path_factory.mktemp("inner")  # a leak there is no leak of this test
    done = _run(tmp_path, "-rE", "--basetemp", str(elsewhere / "base"))
    found = set(re.findall(r"^ERROR \S+?::(\w+)", done.stdout, re.MULTILINE))

    assert found == set(re.findall(r"def (test_leaks\w+)", PROGRAM)), done.stdout + done.stderr
    assert f"{LEAKS + CLEAN} passed" in done.stdout
    assert "looked for canaries in" in done.stdout


@pytest.mark.timeout(180)
def test_the_scan_sees_the_text_of_a_failure(tmp_path, tmp_path_factory):
    """A failing test whose message contains a canary says so."""
    (tmp_path / "test_leaks.py").write_text(
        "from tests.support.hygiene import KEY\ndef test_fails(): raise ValueError(KEY)\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # else one of a folder above would count
    elsewhere = tmp_path_factory.mktemp("inner")
    done = _run(tmp_path, "--basetemp", str(elsewhere / "base"))

    assert "the text of this failure shows the key" in done.stdout
