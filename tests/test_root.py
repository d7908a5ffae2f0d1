"""The names of `import browser_use_async`, and when they are loaded."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import browser_use_async


@pytest.mark.parametrize("name", browser_use_async.__all__)
def test_every_public_name_is_there(name):
    """Each loads on first use, and is the same object from then on."""
    assert getattr(browser_use_async, name) is getattr(browser_use_async, name)
    assert name in dir(browser_use_async)


def test_other_names_are_not():
    """A misspelt name is the usual AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'Browser'"):
        _ = browser_use_async.Browser  # type: ignore[attr-defined]


def test_a_star_import_gives_exactly_the_public_names():
    """For interactive use."""
    names: dict[str, object] = {}
    exec("from browser_use_async import *", names)

    assert set(names) - {"__builtins__"} == set(browser_use_async.__all__)


def test_the_version_is_the_installed_one():
    """The version of the package is the installed one."""
    assert browser_use_async.__version__ == version("browser-use-async")


def test_the_import_alone_loads_nothing():
    """Neither aiohttp nor any room of the package but the one that loads the others."""
    program = (
        "import sys, browser_use_async; "
        "print(sorted(m for m in sys.modules if 'aiohttp' in m or 'browser_use_async.' in m))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert output.strip() == "['browser_use_async.lazy']"
