"""Which certificates a task's browser trusts."""

import shutil
import subprocess

import pytest
from aiohttp import web

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from tests.server.browser.running import browse


@pytest.fixture
def home(tmp_path, certificate, monkeypatch):
    """The home of a user whose certificate store has one more authority."""
    certutil = shutil.which("certutil")
    if certutil is None:
        pytest.skip("certutil is not installed, and nothing else here writes such a store")
    store = tmp_path / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = ("-d", f"sql:{store}")
    trusted = ("-A", "-t", "CP,,", "-n", "intranet", "-i", certificate.file)
    for words in (("-N", "--empty-password"), trusted):
        subprocess.run([certutil, *words, *database], check=True, capture_output=True)
    monkeypatch.setenv("HOME", str(tmp_path))


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text="<title>Intranet</title><p>Inside", content_type="text/html")


@pytest.mark.long
@pytest.mark.usefixtures("home")
async def test_an_authority_of_the_users_own_store(certificate, browser_path):
    """A page of an intranet opens if the user of the server trusts its authority."""
    application = web.Application()
    application.router.add_get("/", _page)
    runner = web.AppRunner(application)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.server_side)
    await place.start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/"
    executor = ChromiumExecutor(ChromiumSettings(browser_path, allow_private_addresses=True))
    try:
        done = await browse(executor, f"Open {url} and tell me its title")
    finally:
        await executor.aclose()
        await runner.cleanup()

    assert done.output == "Intranet"
