"""Walls around the browser: what pages, other tasks and other users cannot reach."""

import asyncio
import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from aiohttp import web
from PIL import Image

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.downloads import MOST_BYTES
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.records import Failed, Finished
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import START_SECONDS, browse
from tests.support.patience import until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the browser's user")
SECRET = "tulips-and-tides-2000"
CHOOSER = (
    "<button onclick=\"document.getElementById('f').click()\">Read more</button>"
    '<input type=file id=f style="display: none" '
    "onchange=\"document.title = 'Got ' + this.files[0].name\"><title>Nothing</title>"
)


def _processes(pid: int) -> list[int]:
    """The living processes of a group."""
    asked = subprocess.run(["ps", "-eo", "pgid=,pid="], check=True, capture_output=True, text=True)
    rows = (line.split() for line in asked.stdout.splitlines())
    return [int(process) for group, process in rows if int(group) == pid]


def _inodes_of_sockets(pid: int) -> set[str]:
    links: set[str] = set()
    for each in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            links.add(str(each.readlink()))
        except OSError:
            continue  # closed meanwhile
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def _listening() -> set[str]:
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[9] for row in rows if row[3] == "0A"}


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")


def _status(pid: int, name: str) -> list[str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1:] for line in lines if line.startswith(f"{name}:"))


def _renderers(pid: int) -> list[int]:
    return [each for each in _processes(pid) if "--type=renderer" in _command_line(each)]


async def _browser_pid(executor: ChromiumExecutor) -> int:
    await browse(executor, "Open http://nowhere.invalid/")
    assert executor.pool.process_of() is not None
    return executor.pool.process_of().pid


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux shows it")
async def test_no_port_is_open(chromium):
    """No process of the browser listens at any port, so that no other program can command it."""
    pid = await _browser_pid(chromium)
    processes, sockets = _processes(pid), _sockets_of_group(pid)

    assert len(processes) > 3
    assert sockets
    assert sockets & _listening() == set()


_ASKS_FOR_NAMES = """<p>Nothing yet</p><script>(async () => {
    const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()]
    one.createDataChannel("x")
    await one.setLocalDescription(await one.createOffer())
    await other.setRemoteDescription(one.localDescription)
    await other.setLocalDescription(await other.createAnswer())
    await one.setRemoteDescription(other.localDescription)
    const candidate = "candidate:1 1 udp 2122260223 NAME.local 5555 typ host generation 0"
    await one.addIceCandidate({candidate, sdpMid: "0", sdpMLineIndex: 0})
    await new Promise(resolve => setTimeout(resolve, 1500))
    document.body.append("Asked")
})()</script>"""


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/net/udp").exists(), reason="only Linux shows it")
async def test_no_page_asks_the_network_for_names(chromium):
    """WebRTC sends no multicast DNS, which would bypass the task's egress."""
    asked: set[str] = set()
    async with serve_pages({"/": _ASKS_FOR_NAMES}) as site:
        working = asyncio.create_task(
            browse(chromium, f"Open {site.url}/. Wait for “Asked”. Tell me its text.")
        )
        while not working.done():
            process = chromium.pool.process_of()
            if process is not None:
                asked |= _sockets_of_mdns() & _sockets_of_group(process.pid)
            await asyncio.sleep(0.05)

    assert "Asked" in working.result().output
    assert asked == set()


def _sockets_of_mdns() -> set[str]:
    rows = map(str.split, Path("/proc/net/udp").read_text().splitlines()[1:])
    return {row[9] for row in rows if row[1].endswith(":14E9")}


def _sockets_of_group(pid: int) -> set[str]:
    return set().union(*map(_inodes_of_sockets, _processes(pid)))


@AS_ROOT
async def test_root_has_a_sandbox(chromium, site):
    """As root the browser has a user of its own, and pages a sandbox with namespaces."""
    working = asyncio.create_task(browse(chromium, f"Open {site}/. Wait for “never”."))
    await until(lambda: chromium.view("id") is not None, START_SECONDS)
    assert chromium.pool.process_of() is not None
    pid = chromium.pool.process_of().pid
    # Each gets its filter as soon as it has started.
    await until(lambda: {_status(each, "Seccomp")[0] for each in _renderers(pid)} == {"2"})
    renderers = _renderers(pid)
    depth = {len(_status(each, "NSpid")) for each in renderers}
    users = {_status(each, "Uid")[0] for each in _processes(pid)}
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert renderers
    assert min(depth) > 1
    assert "0" not in users


@AS_ROOT
def test_root_without_another_user_has_to_say_so(monkeypatch):
    """Where the browser can have no user of its own, `--no-sandbox` is required."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match="--no-sandbox"):
        BrowserProgram.of("/usr/bin/chromium", sandbox=True)

    assert BrowserProgram.of("/usr/bin/chromium", sandbox=False).user is None


async def test_no_sandbox_is_logged(browser_path, caplog):
    """Without a sandbox the log says what that means."""
    executor = ChromiumExecutor(ChromiumSettings(browser_path, sandbox=False))
    await executor.aclose()

    assert "without its sandbox" in caplog.text


async def test_pages_get_no_files_unasked(chromium):
    """A page that asks for files gets none unless a step uploads one; the next step says so."""
    files = {"salaries.csv": b"name,salary\nAda,CONFIDENTIAL"}
    async with serve_pages({"/": CHOOSER}) as pages:
        task = f"Open {pages.url}/. Click Read more. Wait 1 s. Tell me the title"
        unasked = await browse(chromium, task, files=files)
        asked = await browse(
            chromium,
            f"Open {pages.url}/. Upload salaries.csv to Read more. Wait 1 s. Tell me the title",
            files=files,
        )

    assert unasked.output == "Nothing"
    goals = [step.evaluation_previous_goal for step in unasked.steps]
    assert any("The page asks for a file" in each for each in goals)
    assert asked.output == "Got salaries.csv"


async def test_a_step_after_the_question_uploads(chromium):
    """A file is given to the page that has just asked for one, if a step says upload."""
    async with serve_pages({"/": CHOOSER}) as pages:
        task = f"Open {pages.url}/. Click Read more. Upload a.txt. Wait 1 s. Tell me the title"
        done = await browse(chromium, task, files={"a.txt": b"a"})

    assert done.output == "Got a.txt"


async def test_downloads_are_summed(chromium):
    """Running downloads count together, and a refused one is deleted from the disk."""
    sent = 0

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        if request.path == "/":
            frames = "".join(f'<iframe src="/frame/{n}"></iframe>' for n in range(3))
            return web.Response(text=f"<title>Many</title>{frames}", content_type="text/html")
        if request.path.startswith("/frame"):
            # In a frame of another site in a frame.
            port = request.url.port
            inner = f'<iframe src="http://localhost:{port}/file{request.path}"></iframe>'
            return web.Response(text=inner, content_type="text/html")
        name = request.path.rpartition("/")[2]
        response = web.StreamResponse(
            headers={"Content-Disposition": f"attachment; filename={name}.bin"}
        )
        await response.prepare(request)
        for _ in range(60):  # three of 60 MB
            await response.write(bytes(1024**2))
            sent += 1024**2
        return response

    runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        done = await browse(chromium, f"Open {address}/. Wait 1 s. Scroll down. Wait 4 s.")
        process = chromium.pool.process_of()
        assert process is not None
        left = [each for each in (process.folder.path / "tasks").rglob("*") if each.is_file()]
    finally:
        await runner.cleanup()

    said = f"{done.end} {[step.evaluation_previous_goal for step in done.steps]}"
    assert "more than 100 MB together" in said
    files = done.end.files
    assert sum(map(len, files.values())) <= MOST_BYTES
    assert left == []


async def test_what_pages_name_is_bounded(chromium):
    """A title of megabytes and an equally long address are cut in all steps."""
    page = (
        "<body>Read me<script>document.title = 'x'.repeat(20 * 1024 ** 2);"
        "history.replaceState(0, '', '/?' + 'y'.repeat(100000))</script>"
    )
    async with serve_pages({"/": page}) as pages:
        done = await browse(chromium, f"Open {pages.url}/. Scroll down. Scroll up. Extract")
        long = await browse(chromium, f"Open {pages.url}/missing?{'z' * 5000}")

    steps = [
        (len(each.next_goal), len(each.evaluation_previous_goal), len(each.url))
        for each in done.steps
    ]
    assert max(max(step) for step in steps) < 2000
    assert isinstance(long.end, Failed)
    assert len(long.end.url) <= 1000


# Each shows the value of the field again in its own way; the last two as the field itself.
ECHOES = {
    "text": "said.textContent = value",
    "capitals": "said.textContent = value; said.style.textTransform = 'uppercase'",
    "letters": "for (const it of value) said.append(Object.assign(document.createElement('b'), "
    "{textContent: it}))",
    "soft hyphens": "said.textContent = [...value].join('\\u00ad')",
    "two pieces": "said.append(value.slice(0, 9), document.createElement('i'), value.slice(9))",
    "closed root": "said.attachShadow({mode: 'closed'}).textContent = value",
    "attribute": "said.dataset.value = value; said.className = 'shows'",
    "placeholder": "copy.placeholder = value; copy.value = ''",
    "other field": "copy.value = value",
    "style": "field.setAttribute('style', '-webkit-text-security: none !important')",
}


@pytest.mark.torture
@pytest.mark.parametrize("way", list(ECHOES))
async def test_pictures_show_no_secret(chromium, way):
    """Two secrets of equal length make the same picture, however the page shows them again."""
    page = (
        "<title>Echo</title><style>.shows::before { content: attr(data-value) } "
        "body { font-family: monospace }</style>"
        "<form onsubmit='return false'><label>Name <input id=field></label></form>"
        "<p id=said></p><p><input id=copy size=40></p><script>field.oninput = () => { "
        f"const value = field.value; if (value) {{ {ECHOES[way]} }} }}</script>"
    )
    other = "".join(reversed(SECRET))
    pictures: list[bytes] = []
    async with serve_pages({"/": page}) as pages:
        for value in (SECRET, other):
            done = await browse(
                chromium,
                f"Open {pages.url}/. Fill Name with the secret pin. Wait 0.5 s.",
                secrets={"pin": value},
                highlight_elements=False,
            )
            pictures.append(done.steps[-1].screenshot or b"")

    assert pictures[0]
    assert _pixels(pictures[0]) == _pixels(pictures[1])


async def test_control_of_pictures(chromium):
    """Without the mask the same two values make different pictures."""
    page = "<title>Echo</title><label>Name <input id=field></label>"
    pictures: list[bytes] = []
    async with serve_pages({"/": page}) as pages:
        for value in (SECRET, "".join(reversed(SECRET))):
            done = await browse(
                chromium,
                f"Open {pages.url}/. Fill Name with “{value}”. Wait 0.5 s.",
                highlight_elements=False,
            )
            pictures.append(done.steps[-1].screenshot or b"")

    assert _pixels(pictures[0]) != _pixels(pictures[1])


def _pixels(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        return image.convert("RGB").tobytes()


async def test_files_contain_no_secret(chromium):
    """The file of a page that repeats a secret does not contain it."""
    page = (
        "<title>Echo</title><label>Name <input oninput='said.textContent = this.value'></label>"
        "<table><tr><th>Said</th></tr><tr><td id=said></td></tr></table>"
    )
    async with serve_pages({"/": page}) as pages:
        task = f"Open {pages.url}/. Fill Name with the secret pin. Save the table as said.csv"
        done = await browse(chromium, task, secrets={"pin": SECRET})

    assert done.files["said.csv"].startswith(b"Said")
    assert SECRET.encode() not in done.files["said.csv"]
    assert b"***" in done.files["said.csv"]


HOSTILE = {
    "dialogs": ("<title>A</title><script>while (true) alert('again')</script>", "message boxes"),
    "windows": (
        "<title>A</title><script>for (let i = 0; i < 60; i++) open('/other?' + i)</script>",
        "more than 20 windows",
    ),
    "loading": ("<title>A</title><img src='/never'>", "still loading"),
    "requests": (
        (
            "<title>A</title><script>let at = 0; setInterval(() => {"
            "for (let i = 0; i < 200; i++) fetch('/other?' + at++).catch(() => 0) }, 1)</script>"
        ),
        "more requests, frames, windows and workers than pages may",
    ),
    "frames": (
        (
            "<title>A</title><script>setInterval(() => { for (let i = 0; i < 50; i++) {"
            "const frame = document.createElement('iframe');"
            "document.body.append(frame); frame.remove() } }, 1)</script>"
        ),
        "more requests, frames, windows and workers than pages may",
    ),
    # Each window ends before it alone has made too many.
    "windows one after another": (
        (
            "<title>A</title><script>let other = open('/spin'); setInterval(() => {"
            "if (other.closed) other = open('/spin') }, 20)</script>"
        ),
        "more requests, frames, windows and workers than pages may",
    ),
}
SPIN = (
    "<script>let made = 0; setInterval(() => { for (let i = 0; i < 50; i++) {"
    "const frame = document.createElement('iframe'); document.body?.append(frame); frame.remove() }"
    "made += 50; if (made >= 200) close() }, 1)</script><body>"
)


@pytest.mark.torture
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", list(HOSTILE))
async def test_hostile_pages_fail_their_task_alone(chromium, site, kind):
    """Endless content, and a page that never loads: a reason, and only one failed task."""
    page, reason = HOSTILE[kind]

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/never":
            await asyncio.Event().wait()
        text = {"/": page, "/spin": SPIN}.get(request.path, "Other")
        return web.Response(text=text, content_type="text/html")

    runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        hostile = asyncio.create_task(
            browse(chromium, f"Open {url}. Wait 60 s. Scroll down.", task_id="hostile")
        )
        other = await browse(chromium, f"Open {site}/. Click Contact. Tell me the title")
        done = await hostile
    finally:
        await runner.cleanup()
    after = await browse(chromium, f"Open {site}/ and tell me the title")

    assert reason in done.reason
    assert other.output.startswith("Contact")
    assert after.output == "Tern & Tide Bicycles"


@pytest.mark.torture
async def test_a_page_that_moves_on_in_a_loop_delays_no_other(chromium, site):
    """Addresses that change a thousand times in a second leave the browser time for others."""
    page = (
        "<title>A</title><script>let at = 0; setInterval(() => {"
        "for (let i = 0; i < 100; i++) location.hash = at++ }, 1)</script>"
    )
    async with serve_pages({"/": page}) as pages:
        moving = asyncio.create_task(
            browse(chromium, f"Open {pages.url}/. Wait 20 s", task_id="moving")
        )
        await until(lambda: "/" in pages.asked, START_SECONDS)
        other = await browse(chromium, f"Open {site}/. Click Contact. Tell me the title")
        was_at_work = not moving.done()
        moving.cancel()
        await asyncio.wait([moving])

    assert other.output.startswith("Contact")
    assert was_at_work


@pytest.mark.parametrize("trace", ["always", "failure", "off"])
async def test_traces(browser_path, site, trace):
    """A trace is an output file on request, also for a failed task, never with secrets."""
    settings = ChromiumSettings(browser_path, allow_private_addresses=True, trace=trace)  # type: ignore[arg-type]
    executor = ChromiumExecutor(settings)
    try:
        good = await browse(executor, f"Open {site}/ and tell me the title")
        bad = await browse(executor, f"Open {site}/. Click Nowhere. Scroll down.")
        secret = await browse(
            executor, f"Open {site}/. Click Nowhere. Scroll down.", secrets={"pin": SECRET}
        )
    finally:
        await executor.aclose()

    assert isinstance(good.end, Finished)
    has = ["trace.zip" in end.files for end in (good.end, bad.end, secret.end)]
    assert has == [trace == "always", trace != "off", False]
    if trace != "off":
        with zipfile.ZipFile(io.BytesIO(bad.end.files["trace.zip"])) as archive:
            assert any(name.endswith(".trace") for name in archive.namelist())
