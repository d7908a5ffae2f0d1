"""Every test of the page "Testing your code" passes in a folder with the page's files only."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import BLOCKS, ROOT

_PAGE = ROOT / "docs/testing.md"
_BLOCKS = [each for each in BLOCKS if each.page == _PAGE.name]
_PLUGIN = "pytest_browser_use_async"
_NAME = re.compile(r"^[\w.-]+")

# Finds no package that the page's reader has not installed.
_GUARD = """
import sys
from importlib.machinery import PathFinder

class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {others!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Installed
"""


def _installed_by_the_page() -> set[str]:
    """The distributions that its first command installs."""
    words = next(each for each in _BLOCKS if each.language == "console").text.split()[2:]
    found = set[str]()
    left = [each.strip('"') for each in words]
    while left:
        requirement = left.pop()
        match = _NAME.match(requirement)
        assert match is not None
        name = re.sub(r"[-_.]+", "-", match[0]).lower()
        extras = re.findall(r"\[([\w,-]+)\]", requirement.partition(";")[0])
        if name in found and not extras:
            continue
        found.add(name)
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # for another Python or system
            continue
        wanted = extras[0].split(",") if extras else []
        for each in requires:
            of = re.search(r"extra == ['\"]([\w-]+)['\"]", each)
            if of is None or of[1] in wanted:
                left.append(each.partition(";")[0])
    return found


def _others() -> set[str]:
    """The top-level modules of everything else that is installed here."""
    own = _installed_by_the_page()
    return {
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not any(re.sub(r"[-_.]+", "-", owner).lower() in own for owner in owners)
    }


def _paste(folder: Path) -> int:
    """Put the blocks of the page into files; returns how many tests there are."""
    tests = 0
    for number, block in enumerate(_BLOCKS):
        if block.language == "python":
            (folder / f"test_{number}.py").write_text(block.text)
            tests += len(re.findall(r"^(?:async )?def test_", block.text, re.MULTILINE))
        elif block.language == "ini":
            (folder / "pytest.ini").write_text(block.text)
    return tests


def test_every_test_passes_as_pasted(tmp_path):
    """With the packages that its first command installs, and no others."""
    folder, guard = tmp_path / "pasted", tmp_path / "guard"
    folder.mkdir()
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(_GUARD.format(others=_others()))
    tests = _paste(folder)
    own = {name: value for name, value in os.environ.items() if "PYTEST" not in name}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pytest_asyncio.plugin", "-p", _PLUGIN],
        cwd=folder,
        env={**own, "PYTHONPATH": str(guard), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert re.search(rf"^{tests} passed in ", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert tests > 5


@pytest.mark.parametrize("module", ["looptime", "hypothesis"])
def test_the_guard_refuses_what_is_not_installed(module):
    """The control: such packages are installed here, and the page's reader has none of them."""
    assert module in _others()
    assert not {"aiohttp", "attrs", "pytest", "pytest_asyncio"} & _others()
