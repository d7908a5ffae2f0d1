"""The built wheel, used away from the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The first test builds the wheel.
pytestmark = pytest.mark.torture


def _python(*arguments: str | Path, folder: Path, path: Path | None = None) -> str:
    """The output of a Python program in another folder, with the wheel first on its path."""
    result = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(path or ""), "NO_COLOR": "1"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout without a network."""
    folder = tmp_path_factory.mktemp("dist")
    _python("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, folder=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder into which pip installed the wheel; its dependencies are in the environment."""
    folder = tmp_path_factory.mktemp("installed")
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    _python(*pip, folder, wheel, folder=folder)
    return folder


def _members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_contains_the_package_and_nothing_else(wheel):
    """Every module, the type marker, the plugin and the example site; no tests, no tools."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "browser_use_async").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    site = {
        f"browser_use_async/server/example_site/{path.relative_to(ROOT / 'examples/site')}"
        for path in (ROOT / "examples" / "site").rglob("*")
        if path.is_file()
    }

    assert "browser_use_async/py.typed" in package
    assert package | site | {"pytest_browser_use_async.py"} == _members(wheel)


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_requires_four_packages(wheel):
    """Without extras, the installation brings aiohttp, attrs, cattrs and tenacity."""
    metadata = _metadata(wheel)
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]

    assert [each.split(">=")[0] for each in needed] == ["aiohttp", "attrs", "cattrs", "tenacity"]
    assert not [each for each in needed if "<" in each or "==" in each]


@pytest.mark.parametrize("executor", ["scripted", "plain"])
def test_a_program_of_a_user(installed, tmp_path, executor):
    """A task runs through the SDK against the bundled server, all of it from the wheel."""
    program = shutil.copy(ROOT / "scripts" / "smoke.py", tmp_path)

    printed = _python(program, ROOT, executor, folder=tmp_path, path=installed)

    assert "a task on the bundled server" in printed


def test_the_command_line(installed, tmp_path):
    """`python -m browser_use_async` works and names its commands."""
    printed = _python("-m", "browser_use_async", "--help", folder=tmp_path, path=installed)

    assert "demo" in printed


def test_the_pytest_plugin(installed, tmp_path):
    """A project's test uses the server fixture without importing anything."""
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(browser_use_server):\n"
        "    import pytest_browser_use_async\n"
        f"    assert pytest_browser_use_async.__file__.startswith({str(installed)!r})\n"
        "    assert browser_use_server.base_url.endswith('/api/v1')\n"
    )
    options = ["-q", "-p", "no:looptime_plugin", "-p", "no:cacheprovider"]

    printed = _python("-m", "pytest", *options, "test_mine.py", folder=tmp_path, path=installed)

    assert "1 passed" in printed
