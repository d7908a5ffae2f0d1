"""What a task may open of this machine and of private networks."""

import pytest

from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.chromium.executor import ChromiumExecutor
from browser_use_async.server.executors.chromium.rules import Destination
from browser_use_async.server.executors.chromium.ways_out import WaysOut
from browser_use_async.server.executors.protocol import Assignment, Failed, Finished
from tests.server.chromium.pages import serve_pages
from tests.server.chromium.running import browse

NAMED = "Open http://127.0.0.1:8000/prices, then http://[::1]:9000/ and localhost:7000/x"


def _opens(settings: ChromiumSettings, host: str, port: int, task: str = NAMED) -> bool:
    rules = WaysOut(settings).rules(Assignment("t-1", task))
    address = {"localhost": "127.0.0.1"}.get(host, host)
    return rules.refusal_of(Destination(host, port, ("http",)), address) is None


@pytest.mark.parametrize(
    ("host", "port", "opens"),
    [
        ("127.0.0.1", 8000, True),
        ("::1", 9000, True),
        ("localhost", 7000, True),
        ("127.0.0.1", 8001, False),
        ("localhost", 8000, False),
        ("10.0.0.1", 80, False),
    ],
)
def test_what_the_task_names_is_opened_and_nothing_beside_it(host: str, port: int, opens: bool):
    """Host and port have to be those of the text; a neighbour's port stays closed."""
    assert _opens(ChromiumSettings(allow_named_addresses=True), host, port) is opens


def test_without_leave_naming_opens_nothing():
    """An executor by itself does not know who reaches it, so nothing is open by default."""
    assert not _opens(ChromiumSettings(), "127.0.0.1", 8000)
    assert not _opens(ChromiumSettings(allow_named_addresses=False), "127.0.0.1", 8000)


def test_the_operators_addresses_stay_open():
    """What the operator opened is open to every task, whatever its text names."""
    some = ChromiumSettings(
        allow_private_addresses=["http://10.0.0.1:80"], allow_named_addresses=True
    )

    assert _opens(some, "10.0.0.1", 80, task="Read it")
    assert not _opens(some, "10.0.0.2", 80, task="Read it")
    assert _opens(ChromiumSettings(allow_private_addresses=True), "10.0.0.2", 80, task="Read it")


@pytest.mark.parametrize("exposed", [False, True])
async def test_a_server_of_this_machine_only(browser_path: str, exposed: bool):
    """A task opens a page of this machine that it names, unless others reach the server too."""
    options = {"behind_proxy": True, "public_url": "https://agents.example"} if exposed else {}
    server = LocalServer(executor="chromium", api_key="a-key-of-my-own-" * 3, **options)
    assert isinstance(server.executor, ChromiumExecutor)
    async with serve_pages({"/": "<title>Inner</title>"}) as site:
        done = await browse(server.executor, f"Open {site.url}/ and tell me the title")
        await server.executor.aclose()

    assert isinstance(done.end, Failed if exposed else Finished)
    assert ("/" in site.asked) is not exposed
