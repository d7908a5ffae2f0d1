"""The scripts of the pages: ES modules, their addresses, and what the content policy lets run."""

import re
from importlib.resources import files

import pytest

from tests.browser.driver import Page
from tests.server.calling import Answer
from tests.server.pages.application import open_page
from tests.server.pages.opening import open_live

_ASSETS = files("browser_use_async.server.pages").joinpath("assets")
_OURS = {
    f"{folder}/{each.name}": each.read_text(encoding="utf-8")
    for folder in ("app", "live")
    for each in _ASSETS.joinpath(folder).iterdir()
    if each.name.endswith(".js")
}
_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL)
_NONCE = re.compile(r"script-src 'nonce-([\w-]{22})'(?:;|$)")
# What stands in the window of a page of this origin without a script, and is not there here.
_ADDED = """(async () => {
  const frame = document.createElement("iframe");
  document.body.append(frame);
  const usual = new Set(Object.keys(frame.contentWindow));
  frame.remove();
  return Object.keys(window).filter((name) => !usual.has(name) && !/^\\d+$/.test(name));
})()"""


def _scripts(answer: Answer) -> list[tuple[str, str]]:
    return _SCRIPT.findall(answer.text)


def _module(answer: Answer) -> str:
    """The address of the one script that a page runs."""
    (address,) = re.findall(r'<script type="module" [^>]*src="([^"]+)"', answer.text)
    return str(address)


# --- the files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(_OURS))
def test_lines_are_short(name):
    """At most 120 characters, so that two versions can be compared side by side."""
    assert [line for line in _OURS[name].splitlines() if len(line) > 120] == []


def test_the_scripts_write_text_only():
    """No script of the pages makes markup of a text; all but the vendored one are searched."""
    assert len(_OURS) > 10
    for way in (
        "innerHTML",
        "InnerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "srcdoc",
    ):
        assert not [name for name, text in _OURS.items() if way in text]


def test_each_script_is_used():
    """The two pages lead to all of them, and to no name that the import map lacks."""
    waiting, seen, names = ["app/frame.js", "live/steering.js"], set(), set()
    while waiting:
        script = waiting.pop()
        seen.add(script)
        for target in re.findall(r'^(?:import|\}) .*?from "([^"]+)"', _OURS[script], re.MULTILINE):
            folder, _, name = target.removeprefix("../").rpartition("/")
            own = f"{script.partition('/')[0] if folder == '.' else folder}/{name}"
            if not target.startswith("."):
                names.add(target)
            elif own not in seen:
                waiting.append(own)

    assert seen == set(_OURS)
    assert names == {"htm/preact"}


# --- the addresses ------------------------------------------------------------------------


async def test_browsers_keep_a_script_whose_address_names_its_contents(caller):
    """A year, as JavaScript and as nothing else."""
    address = _module(await caller.get(caller.server.url, key=False))
    answer = await caller.get(caller.server.url + address, key=False)

    assert answer.text == _OURS["app/frame.js"]
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (r"/assets/\w+/", "/assets/0123456789abcdef/"),
        ("frame.js", "other.js"),
        ("app/frame.js", "app/app.css"),
        ("app/frame.js", "app/..%2F..%2Fhome.py"),
    ],
)
async def test_other_addresses_lead_to_no_script(part, other, caller):
    """Other contents, no file, no script, and a way out of the folder."""
    address = _module(await caller.get(caller.server.url, key=False))
    answer = await caller.get(caller.server.url + re.sub(part, other, address), key=False)

    assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


# --- the policy ---------------------------------------------------------------------------


async def test_the_policy_allows_the_scripts_of_one_answer(caller):
    """Their nonce is another one in each answer, and stands before all texts of the task."""
    task = await caller.reached(
        await caller.create("Find it", enable_public_share=True), "finished"
    )
    nonces = []
    for url in (task["live_url"], task["public_share_url"], *[caller.server.url] * 2):
        answer = await caller.get(url)
        (nonce,) = _NONCE.findall(answer.headers["Content-Security-Policy"])
        nonces.append(nonce)
        (import_map, mapped), (module, inline) = _scripts(answer)

        assert import_map == f' type="importmap" nonce="{nonce}"'
        assert re.fullmatch(
            r'\{"imports": \{"htm/preact": "/assets/\w+/vendor/[\w.-]+"\}\}', mapped
        )
        assert module.startswith(f' type="module" nonce="{nonce}" src="/assets/')
        assert inline == ""
        assert answer.text.index("</script>") < answer.text.index("<title>")

    assert len(set(nonces)) == 4


async def test_a_page_without_scripts_allows_none(caller):
    """As that of a link that leads nowhere."""
    answer = await caller.get(f"{caller.server.url}/live/nothing")

    assert _scripts(answer) == []
    assert "script-src 'none'" in answer.headers["Content-Security-Policy"]


async def _refused(page: Page, script: str) -> bool:
    """Whether the policy keeps an element that was added to a page from running a script."""
    await page.run(
        "(() => { const added = document.createElement('script'); added.type = 'module';"
        f" window.refused = new Promise((done) => {{ added.onload = () => done(false);"
        f" added.onerror = () => done(true); }}); {script}; document.body.append(added); }})()"
    )
    return bool(await page.run("window.refused"))


async def test_a_script_without_the_nonce_does_not_run(browser, caller):
    """Not even one of this server, as a task could have left it there."""
    page = await open_page(browser, caller)
    nonce = "document.querySelector('script[type=module]').nonce"
    # Not an address that the page has loaded: nothing is asked of the policy for a module at hand.
    address = "document.querySelector('script[type=module]').src.replace('frame.js', 'format.js?')"

    assert await _refused(page, f"added.src = {address}")
    assert not await _refused(page, f"added.src = {address}; added.nonce = {nonce}")


# --- the window ---------------------------------------------------------------------------


async def test_the_application_adds_nothing_to_the_window(browser, caller):
    """No page of it does, as people go from one to the next."""
    page = await open_page(browser, caller)
    for path in (
        "/overview",
        "/schedules",
        "/scripts",
        "/profiles",
        "/files",
        "/webhooks",
        "/keys",
    ):
        await page.click(f".nav a[href='{path}']")
        await page.until(f"location.pathname === '{path}' && !document.querySelector('.waiting')")

    assert await page.run(_ADDED) == []
    assert page.complaints == []


async def test_the_live_page_adds_nothing_to_the_window(browser, watched, showing):
    """Not with its buttons either."""
    page, _ = await open_live(browser, watched, showing)
    await page.click("#control")
    await page.until("document.getElementById('control').ariaPressed === 'true'")

    assert await page.run(_ADDED) == []
    assert page.complaints == []
