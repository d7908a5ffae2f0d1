"""The files that environments of the project are made of, and their hashes."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Each environment with these takes what their programs want (scripts/environment.sh).
UNLOCKED = {"agent", "examples", "local-agent"}
_PACKAGE = re.compile(
    r"^([\w.-]+)==([^ ;\\]+)[^\n]*((?:\n    --hash=sha256:[0-9a-f]{64}.*)*)", re.MULTILINE
)


@pytest.mark.parametrize("name", ["constraints.txt", "deploy/agent.txt"])
def test_every_package_has_hashes(name):
    """Only a file with its recorded hash is installed, from whichever server it comes."""
    text = (ROOT / name).read_text()
    packages = _PACKAGE.findall(text)

    assert packages
    assert [package for package, _, hashes in packages if not hashes] == []
    assert _PACKAGE.sub("", text).split("\n", 2)[2].strip() == ""  # neither addresses nor options


def test_the_lock_has_what_the_project_asks_for():
    """After a change of pyproject.toml, `make lock` writes it."""
    versions: dict[str, set[str]] = {}
    for name, version, _ in _PACKAGE.findall((ROOT / "constraints.txt").read_text()):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for name, entries in [*extras.items(), *PROJECT["dependency-groups"].items()]:
        if name not in UNLOCKED:
            asked += [each for each in entries if isinstance(each, str)]
    others = [each for each in map(Requirement, asked) if each.name != PROJECT["project"]["name"]]

    assert [
        str(each)
        for each in others
        if not any(map(each.specifier.contains, versions.get(canonicalize_name(each.name), ())))
    ] == []


VULNERABLE = {"id": "PYSEC-1", "fix_versions": ["2.0"]}


@pytest.mark.parametrize(
    ("row", "options", "code", "said"),
    [
        ({"vulns": []}, "--strict", 0, "1 of 1 packages audited, 0 with vulnerabilities"),
        ({"vulns": [VULNERABLE]}, "", 1, "one 1.0: PYSEC-1, fixed in 2.0"),
        ({"skip_reason": "not found"}, "", 0, "1 NOT audited, the first because: not found"),
        ({"skip_reason": "not found"}, "--strict", 1, "0 of 1 packages audited"),
        (None, "", 0, "NOT audited, the first because: no way there"),
        (None, "--strict", 1, "NOT audited, the first because: no way there"),
    ],
)
def test_audit(tmp_path, row, options, code, said):
    """A vulnerability fails, and an unknown package is not reported as harmless."""
    rows = {"dependencies": [] if row is None else [{"name": "one", "version": "1.0", **row}]}
    answers = json.dumps(rows), json.dumps({"dependencies": []})
    # In place of the program that calls the service: its first answer has the one package.
    (tmp_path / "pip_audit.py").write_text(
        "import pathlib, sys\n"
        + ("sys.exit('no way there')\n" if row is None else "")
        + "asked = pathlib.Path(__file__ + '.asked')\n"
        + f"print({answers!r}[asked.exists()])\nasked.touch()\n"
    )
    ended = subprocess.run(
        [sys.executable, "scripts/audit.py", *options.split()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said in ended.stdout, ended.stderr
    assert ended.returncode == code
