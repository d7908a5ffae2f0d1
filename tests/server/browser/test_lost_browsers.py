"""Browsers that crash or hang, and killed servers: tasks fail, and nothing is left."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from contextlib import aclosing
from pathlib import Path

import pytest

from browser_use_async.server.executors.browser.browser_folder import (
    PREFIX,
    BrowserFolder,
    clean_up_after_the_dead,
)
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import START_SECONDS, browse
from tests.support.patience import PATIENCE, until


@pytest.fixture(autouse=True)
def temporary(monkeypatch):
    """A folder for temporary files that no other test uses."""
    # Short, because the browser creates sockets in it, whose paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="bua-"))
    folder.chmod(0o711)  # like /tmp: the browser may run as another user
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # of a test that was skipped or has failed


@pytest.fixture
async def own_chromium(browser_path, temporary):
    """An executor whose browser keeps its files in `temporary`."""
    executor = ChromiumExecutor(ChromiumSettings(browser_path, allow_private_addresses=True))
    yield executor
    await executor.aclose()
    _check_empty(temporary)


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def _check_empty(folder: Path) -> None:
    assert _names(folder) == []
    folder.rmdir()


async def _crash(executor: ChromiumExecutor, url: str) -> None:
    """Crash the page that shows `url`, and wait until Playwright reports it."""
    process = executor.pool.process_of()
    assert process is not None
    pages = [page for context in process.browser.contexts for page in context.pages]
    (page,) = [page for page in pages if page.url == url]
    session = await page.context.new_cdp_session(page)
    async with page.expect_event("crash"):
        # A signal from outside may hit a process that the browser itself does not survive.
        crash = asyncio.ensure_future(session.send("Page.crash"))
    crash.cancel()  # a page that has crashed does not answer
    await asyncio.gather(crash, return_exceptions=True)


def _pid(executor: ChromiumExecutor) -> int:
    process = executor.pool.process_of()
    assert process is not None
    return process.pid


def _group(pid: int) -> dict[int, str]:
    """The living processes of a group, with their command lines."""
    asked = subprocess.run(
        ["ps", "-eo", "pgid=,stat=,pid=,args="], check=True, capture_output=True, text=True
    )
    rows = (line.split(None, 3) for line in asked.stdout.splitlines())
    return {
        int(row[2]): row[3] for row in rows if int(row[0]) == pid and not row[1].startswith("Z")
    }


async def _gone(pid: int) -> None:
    await until(lambda: not _group(pid))  # no event reports the end of a process


async def _has_browser(executor: ChromiumExecutor, url: str) -> None:
    """Wait until the task with this id shows a page."""
    await until(lambda: executor.view("id") is not None, START_SECONDS)
    view = executor.view("id")
    assert view is not None
    async with aclosing(view.frames()) as frames:
        await anext(frames)
    await until(lambda: url in _addresses(executor))


def _addresses(executor: ChromiumExecutor) -> list[str]:
    process = executor.pool.process_of()
    assert process is not None
    return [page.url for context in process.browser.contexts for page in context.pages]


def test_a_folder_that_is_removed_twice_closes_no_other_file(temporary):
    """Two tasks may find one browser hanging, and the number of a closed file may be reused."""
    folder = BrowserFolder.make()
    folder.remove()
    with Path(os.devnull).open() as other:
        folder.remove()

        assert other.read() == ""
    assert _names(temporary) == []


async def test_a_browser_that_is_killed_fails_its_task(own_chromium, site):
    """The task fails at once with the reason; the next one has a new browser."""
    waiting = asyncio.create_task(browse(own_chromium, f"Open {site}/. Wait for rain"))
    await _has_browser(own_chromium, f"{site}/")
    first = _pid(own_chromium)
    os.kill(first, signal.SIGKILL)
    lost = await waiting
    done = await browse(own_chromium, f"Open {site}/ and tell me the title")

    assert "the browser has ended unexpectedly" in lost.reason
    assert done.output == "Tern & Tide Bicycles"
    assert _pid(own_chromium) != first
    await _gone(first)


async def test_a_handler_of_crashes_that_hangs_is_ended(own_chromium, site, temporary):
    """It is not in the browser's process group, and may wait for a crashed page for ever."""

    def handlers() -> list[int]:
        commands = Path("/proc").glob("[0-9]*/cmdline")
        texts = {int(each.parent.name): _text(each) for each in commands}
        return [pid for pid, text in texts.items() if f"--database={temporary}" in text]

    waiting = asyncio.create_task(browse(own_chromium, f"Open {site}/. Wait for rain"))
    await _has_browser(own_chromium, f"{site}/")
    started = handlers()
    for pid in started:
        os.kill(pid, signal.SIGSTOP)
    waiting.cancel()
    await asyncio.wait([waiting])
    await own_chromium.aclose()

    assert started
    await until(lambda: not handlers())


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""  # it has ended


@pytest.mark.torture
async def test_a_page_that_hangs_fails_its_task_alone(own_chromium, site):
    """A page whose script never ends fails its task; the browser continues for the others."""
    page = "<title>Busy</title><button onclick='while (true) {}'>Hang</button>"
    async with serve_pages({"/": page}) as pages:
        hanging = asyncio.create_task(
            browse(own_chromium, f"Open {pages.url}/. Click Hang. Scroll down", task_id="hanging")
        )
        other = await browse(own_chromium, f"Open {site}/ and tell me the title", task_id="other")
        first = _pid(own_chromium)
        hung = await hanging
    after = await browse(own_chromium, f"Open {site}/ and tell me the title")

    assert "was not answered within" in hung.reason
    assert other.output == after.output == "Tern & Tide Bicycles"
    assert _pid(own_chromium) == first


@pytest.mark.torture
@pytest.mark.parametrize("what", ["Wait for rain", "Wait 300 s"])
async def test_a_page_that_crashes_fails_its_task_alone(own_chromium, site, what):
    """A page that crashes fails its task; the browser continues for the others."""
    # Beside another one, since Chromium sometimes ends with its last page.
    crashing = asyncio.create_task(browse(own_chromium, f"Open {site}/. {what}"))
    await _has_browser(own_chromium, f"{site}/")
    elsewhere = f"{site}/contact.html"
    other = asyncio.create_task(
        browse(own_chromium, f"Open {elsewhere}. Wait for rain", task_id="two")
    )
    await until(lambda: elsewhere in _addresses(own_chromium), START_SECONDS)
    first = _pid(own_chromium)
    await _crash(own_chromium, f"{site}/")
    crashed = await crashing
    done = await browse(own_chromium, f"Open {site}/ and tell me the title", task_id="three")
    was_at_work = not other.done()
    other.cancel()
    await asyncio.wait([other])

    assert "the page has crashed" in crashed.reason
    assert done.output == "Tern & Tide Bicycles"
    assert (was_at_work, _pid(own_chromium)) == (True, first)


@pytest.mark.torture
async def test_a_browser_that_hangs_is_ended(own_chromium, site):
    """A browser that does not respond fails its task within a minute, and is replaced."""
    waiting = asyncio.create_task(browse(own_chromium, f"Open {site}/. Wait for rain"))
    await _has_browser(own_chromium, f"{site}/")
    first = _pid(own_chromium)
    os.killpg(first, signal.SIGSTOP)
    hung = await waiting
    await _gone(first)
    done = await browse(own_chromium, f"Open {site}/ and tell me the title")

    assert "the browser hung, and was ended" in hung.reason
    assert done.output == "Tern & Tide Bicycles"


@pytest.mark.torture
async def test_a_page_that_does_not_close_fails_no_other_task(own_chromium, site):
    """The browser gets no further task, and ends with its last one."""
    stopped = asyncio.create_task(browse(own_chromium, f"Open {site}/. Wait for rain"))
    await _has_browser(own_chromium, f"{site}/")
    elsewhere = f"{site}/contact.html"
    other = asyncio.create_task(
        browse(own_chromium, f"Open {elsewhere}. Wait for rain", task_id="two")
    )
    await until(lambda: elsewhere in _addresses(own_chromium), START_SECONDS)
    first = _pid(own_chromium)
    os.killpg(first, signal.SIGSTOP)  # a page that floods the browser delays its closing as well
    stopped.cancel()
    await asyncio.wait([stopped])
    os.killpg(first, signal.SIGCONT)
    done = await browse(own_chromium, f"Open {site}/ and tell me the title", task_id="three")
    was_at_work, second = not other.done(), _pid(own_chromium)
    other.cancel()
    await asyncio.wait([other])
    await _gone(first)

    assert was_at_work
    assert second != first
    assert done.output == "Tern & Tide Bicycles"


@pytest.mark.torture
async def test_a_browser_that_gives_no_page_is_given_no_task(own_chromium, site):
    """A task without a page gets another browser; tasks in the first one continue."""
    waiting = asyncio.create_task(
        browse(own_chromium, f"Open {site}/. Wait for rain", viewport=(800, 600))
    )
    await _has_browser(own_chromium, f"{site}/")
    first = _pid(own_chromium)
    os.killpg(first, signal.SIGSTOP)
    done = await browse(own_chromium, f"Open {site}/ and tell me the title", task_id="two")
    os.killpg(first, signal.SIGCONT)
    was_at_work, second = not waiting.done(), _pid(own_chromium)
    waiting.cancel()
    await asyncio.wait([waiting])
    await _gone(first)

    assert done.output == "Tern & Tide Bicycles"
    assert was_at_work
    assert second != first


async def test_stopping_closes_the_pages(own_chromium, site):
    """Closing the iterator, which a stop does, closes the pages within seconds."""
    await browse(own_chromium, f"Open {site}/ and tell me the title")
    waiting = asyncio.create_task(browse(own_chromium, f"Open {site}/. Wait for rain"))
    await _has_browser(own_chromium, f"{site}/")
    waiting.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert own_chromium.view("id") is None
    # The context for the next task has an empty page.
    assert set(_addresses(own_chromium)) <= {"about:blank"}


HANGS_WHEN_LOOKED_AT = """<title>Shy</title><button>Here</button><script>
  new MutationObserver(() => setTimeout(() => {
    const telling = new XMLHttpRequest();
    telling.open("GET", "/hangs", false);
    telling.send();
    for (;;);
  })).observe(document, { childList: true, subtree: true });
</script>"""


async def test_a_page_that_hangs_in_its_picture_is_stopped_at_once(own_chromium):
    """The page of a stopped task gets no more commands, because it may not answer for long."""
    pages_of_site = {"/": HANGS_WHEN_LOOKED_AT, "/hangs": "."}
    async with serve_pages(pages_of_site) as pages:
        looking = asyncio.create_task(browse(own_chromium, f"Open {pages.url}/. Wait for rain"))
        await until(lambda: "/hangs" in pages.asked, START_SECONDS)
        looking.cancel()
        # A page has 15 seconds to answer a command.
        async with asyncio.timeout(12):
            await asyncio.wait([looking])

    assert looking.cancelled()


SERVER = textwrap.dedent(
    """
    import asyncio, sys, tempfile
    from browser_use_async.server.executors.browser.executor import ChromiumExecutor
    from browser_use_async.server.executors.settings import ChromiumSettings
    from tests.server.browser.running import START_SECONDS, browse

    async def main():
        executor = ChromiumExecutor(ChromiumSettings(allow_private_addresses=True))
        await browse(executor, "Open http://nowhere.invalid/")
        print(executor.pool.process_of().pid, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
    """
)


@pytest.mark.parametrize("frozen", [False, pytest.param(True, marks=pytest.mark.torture)])
async def test_a_killed_server_leaves_nothing(browser_path, temporary, site, frozen):
    """After kill -9 the browser ends by itself, and the next server deletes its files."""
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(Path.cwd())}
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert server.stdout is not None
    pid = int(await server.stdout.readline())
    if frozen:  # a browser that cannot even notice that its server is gone
        os.killpg(pid, signal.SIGSTOP)
    server.kill()
    await server.wait()
    if not frozen:
        await _gone(pid)
    left = [name for name in _names(temporary) if name.startswith(PREFIX)]
    executor = ChromiumExecutor(ChromiumSettings(browser_path, allow_private_addresses=True))
    done = await browse(executor, f"Open {site}/ and tell me the title")
    await executor.aclose()

    assert len(left) == 1
    assert done.output == "Tern & Tide Bicycles"
    await _gone(pid)
    await until(lambda: not _names(temporary))  # Playwright's driver may be about to end
    _check_empty(temporary)


def test_the_living_keep_their_folders(temporary):
    """The folder of a running server is left alone, and so is one without a lock."""
    living = BrowserFolder.make()
    (temporary / f"{PREFIX}strange").mkdir()
    (temporary / "other").mkdir()

    assert clean_up_after_the_dead() == 0
    assert living.path.is_dir()
    assert (temporary / f"{PREFIX}strange").is_dir()

    living.remove()
    assert clean_up_after_the_dead() == 0
    assert not living.path.exists()
    for each in (f"{PREFIX}strange", "other"):
        (temporary / each).rmdir()
    temporary.rmdir()


@pytest.mark.long
async def test_a_browser_that_does_not_start(temporary):
    """The last output of the browser is in the reason of the task."""
    program = temporary / "no-browser"
    version = "[ \"$1\" = --version ] && echo 'Chromium 150.0.7000.0' && exit\n"
    program.write_text(f"#!/bin/sh\n{version}echo 'cannot open display' >&2\nexit 7\n")
    program.chmod(0o755)
    executor = ChromiumExecutor(ChromiumSettings(program))
    done = await browse(executor, "Open http://a.invalid/")
    await executor.aclose()
    program.unlink()

    assert done.reason == ("The browser did not start: it ended with code 7: cannot open display.")
    _check_empty(temporary)
