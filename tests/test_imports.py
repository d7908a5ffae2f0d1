"""The modules that an import loads, since every program pays for them at each start."""

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.fake_api import FakeTask
from tests.support.hygiene import KEY

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "browser_use_async"

# The package itself imports most of the others, so those below it are imported without it: only
# then does a circle show.
_EACH_ALONE = """
import importlib, os, sys, traceback, types, warnings
import aiohttp, aiohttp.web, asyncio, attrs, cattrs, cattrs.gen, tenacity  # shared by the copies

warnings.simplefilter("error")
folder, *names = sys.argv[1:]
broken = []
for name in names:
    child = os.fork()
    if child == 0:
        try:
            if not name.startswith(("browser_use_async.cli", "browser_use_async.distributed")):
                sys.modules["browser_use_async"] = types.ModuleType("browser_use_async")
                sys.modules["browser_use_async"].__path__ = [folder]
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        broken.append(name)
sys.exit(f"not importable alone: {broken}" if broken else 0)
"""


def _python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )


@pytest.mark.timeout(600)  # a process for each module
@pytest.mark.torture
def test_each_module_can_be_imported_alone():
    """Imported first, in a process of its own, no module fails or warns: there are no circles."""
    files = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    package = {"browser_use_async", "browser_use_async.__main__"}
    modules = sorted({name.removesuffix(".__init__") for name in names} - package)

    result = _python(_EACH_ALONE, str(PACKAGE), *modules)

    assert result.returncode == 0, result.stderr


# Modules that a program with the class of a session may never need.
OTHERS = frozenset(
    """
    aiohttp.web argparse cattrs click decimal difflib importlib.metadata pydantic pytest rich
    sqlite3 procrastinate psycopg tenacity
    """.split()
)
OURS = frozenset(
    """
    api.browser_profiles api.converter api.scheduled_tasks api.services
    batch cli files lifecycle.interventions mcp money observing.telemetry paging prices server
    structured_output
    types.browser_profiles types.scheduled_tasks types.services
    transport.signed_urls transport.storage webhooks
    """.split()
)


@pytest.mark.long
def test_importing_the_session_imports_no_more_than_needed():
    """Other sections, files, lists, batches, webhooks, the server and the converter load later."""
    unwanted = OTHERS | {f"browser_use_async.{name}" for name in OURS}
    program = "import sys; from browser_use_async import BrowserUseSession; print(*sys.modules)"

    result = _python(program)

    assert result.returncode == 0, result.stderr
    assert not unwanted & set(result.stdout.split())
    assert [name for name in unwanted if find_spec(name) is None] == []


_CALLS = """
import asyncio, sys
from browser_use_async import BrowserUseSession

async def main():
    async with BrowserUseSession(api_key=sys.argv[1], base_url=sys.argv[2]) as session:
        loaded = set(sys.modules)
        task = await session.run_and_wait("Buy milk")
        await session.tasks.get_status(task.id)
        await session.tasks.list()
        handle = await session.submit("Buy milk")
        await handle.stop()
        print(*loaded, "|", *sys.modules.keys() - loaded)

asyncio.run(main())
"""


@pytest.mark.long
async def test_no_call_about_tasks_imports_a_module(running_api):
    """A session loads all modules that running, waiting, listing and stopping need."""
    running_api.next_tasks = [FakeTask(life=((0.0, "finished"),))]
    command = [sys.executable, "-c", _CALLS, KEY, running_api.url]

    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _nothing = await process.communicate()

    before, _, after = output.decode().partition(" | ")
    ours = [name for name in after.split() if name.startswith(("browser_use_async", "cattrs"))]
    assert process.returncode == 0
    assert "cattrs" in before.split()
    assert ours == []


@pytest.mark.long
def test_receiving_webhooks_imports_no_framework():
    """A receiver for ASGI needs no server part of aiohttp, and verifying needs neither."""
    program = (
        "import sys, browser_use_async.webhooks as webhooks; before = set(sys.modules);"
        "webhooks.WebhookReceiver('secret').asgi; print(*before, '|', *sys.modules)"
    )

    result = _python(program)

    before, _, after = result.stdout.partition(" | ")
    assert result.returncode == 0, result.stderr
    assert "browser_use_async.webhooks.receiver" not in before.split()
    assert "browser_use_async.webhooks.receiver" in after.split()
    assert not {"aiohttp.web", "starlette", "fastapi"} & set(after.split())


@pytest.mark.long
def test_importing_the_pytest_plugin_imports_nothing_of_the_package():
    """Pytest loads the plugin in every project, also in those that never use it."""
    program = "import sys, pytest_browser_use_async; print(*sys.modules)"

    result = _python(program)

    assert result.returncode == 0, result.stderr
    assert not {"aiohttp", "browser_use_async"} & set(result.stdout.split())


_SCRIPTED = """
import asyncio, sys
from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer

async def main():
    async with (
        LocalServer(executor="scripted") as server,
        BrowserUseSession(api_key=server.api_key, base_url=server.base_url) as session,
    ):
        task = await session.run_and_wait("Buy milk")
        print(task.output, *sys.modules)

asyncio.run(main())
"""

# The packages of the server's extra.
LIBRARIES = frozenset(
    "PIL cronsim cryptography obstore procrastinate prometheus_client psycopg".split()
)


@pytest.mark.long
def test_a_server_imports_no_library_that_it_does_not_need():
    """Scripted tasks need no package that reads pages, draws, encrypts or evaluates expressions."""
    result = _python(_SCRIPTED)

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Done. ")
    assert not LIBRARIES & set(result.stdout.split())
    assert [name for name in LIBRARIES if find_spec(name) is None] == []


@pytest.mark.long
def test_the_executors_import_no_library_before_a_page_is_read():
    """They are drawn, encrypted and told elsewhere; HTML needs none."""
    program = (
        "import sys; from browser_use_async.server import LocalServer;"
        "import browser_use_async.server.executors.plain.executor;"
        "import browser_use_async.server.executors.browser.executor;"
        "import browser_use_async.server.search.engine; print(*sys.modules)"
    )

    result = _python(program)

    assert result.returncode == 0, result.stderr
    assert not LIBRARIES & set(result.stdout.split())
