"""The files that environments of the project are made of, and their hashes."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("test", "dev", "conformance")
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
    found = set(project["project"]["dependencies"])
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
    """F28: what is installed is the file that was recorded, or nothing; `make lock` records."""
    packages = locked(group)

    assert all("--hash=sha256:" in match["hashes"] for match in packages.values())
    assert wanted(group) - set(packages) == set()


@pytest.mark.parametrize("group", LOCKS)
def test_locks_follow_the_constraints(group: str) -> None:
    """F28: a version that constraints.txt names is the one that is locked; `make lock` does so."""
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
