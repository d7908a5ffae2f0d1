"""The files that environments of the project are made of, and their hashes."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("audit", "build", "sbom")  # without the package itself
LOCKS = ("dev", "conformance", "docs", "image", *TOOLS)
_PACKAGE = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^ ;\\]+)[^\n]*(?P<hashes>(?:\n    --hash=[^\n]+)*)",
    re.MULTILINE,
)


def normalised(name: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(group: str) -> dict[str, re.Match[str]]:
    """The packages of a lock file."""
    text = (ROOT / "locks" / f"{group}.txt").read_text()
    return {normalised(match["name"]): match for match in _PACKAGE.finditer(text)}


def wanted(group: str) -> set[str]:
    """The packages that a group of pyproject.toml names, with those of the package itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = set() if group in TOOLS else set(project["project"]["dependencies"])
    groups = [group]
    while groups:
        for entry in project["dependency-groups"][groups.pop()]:
            if isinstance(entry, str):
                found.add(entry)
            else:
                groups.append(entry["include-group"])
    return {normalised(re.split(r"[\[<>=!~; ]", entry)[0]) for entry in found}


@pytest.mark.parametrize("group", LOCKS)
def test_every_package_has_hashes(group: str) -> None:
    """Only a file with its recorded hash is installed; `make lock` records the hashes."""
    packages = locked(group)

    assert all("--hash=sha256:" in match["hashes"] for match in packages.values())
    assert wanted(group) - set(packages) == set()


@pytest.mark.parametrize("group", LOCKS)
def test_locks_follow_the_constraints(group: str) -> None:
    """A version in constraints.txt is the locked one; `make lock` ensures it."""
    lines = (ROOT / "constraints.txt").read_text().split()
    pairs = (line.partition("==") for line in lines)
    versions = {normalised(name): version for name, _, version in pairs}
    packages = locked(group)
    others = {
        name: (version, packages[name]["version"])
        for name, version in versions.items()
        if name in packages and packages[name]["version"] != version
    }

    assert others == {}


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
def test_audit(
    tmp_path: Path, row: dict[str, object] | None, options: str, code: int, said: str
) -> None:
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
