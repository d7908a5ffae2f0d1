"""Ways out of a page, none of which reaches a host that the task may not visit."""

import asyncio

import pytest

from browser_use_async.server import ChromiumSettings, LocalServer
from tests.server.browser.pages import serve_pages
from tests.server.calling import Caller
from tests.support.patience import until

# Each requests a path of its own from the other host; AWAY is the beginning of its address.
_MARKUP = {
    "image": '<img src="AWAY">',
    "image set": '<img srcset="AWAY 1x">',
    "picture": '<picture><source srcset="AWAY"><img></picture>',
    "image button": '<input type="image" src="AWAY">',
    "background": '<table background="AWAY"><tr><td>x</td></tr></table>',
    "drawing": '<svg width="9" height="9"><image href="AWAY" width="9" height="9"/></svg>',
    "frame": '<iframe src="AWAY"></iframe>',
    "frame in a frame": "<iframe srcdoc=\"<img src='AWAY'>\"></iframe>",
    "sandboxed frame": '<iframe sandbox src="AWAY"></iframe>',
    "object": '<object data="AWAY" type="text/html"></object>',
    "embed": '<embed src="AWAY" type="text/html">',
    "style sheet": '<link rel="stylesheet" href="AWAY">',
    "import of a style": "<style>@import url('AWAY');</style>",
    "style image": "<div style=\"background-image: url('AWAY')\">x</div>",
    "border": "<div style=\"border: 9px solid; border-image: url('AWAY') 1\">x</div>",
    "list": "<ul><li style=\"list-style-image: url('AWAY')\">x</li></ul>",
    "content": "<style>#c::before {content: url('AWAY')}</style><p id=c>x</p>",
    "font": "<style>@font-face {font-family: f; src: url('AWAY')}</style>"
    '<p style="font-family: f">x</p>',
    "script": '<script src="AWAY"></script>',
    "module": '<script type="module" src="AWAY"></script>',
    "preloaded image": '<link rel="preload" as="image" href="AWAY">',
    "preloaded script": '<link rel="preload" as="script" href="AWAY">',
    "preloaded module": '<link rel="modulepreload" href="AWAY">',
    "prefetch": '<link rel="prefetch" href="AWAY">',
    "manifest": '<link rel="manifest" href="AWAY">',
    "audio": '<audio src="AWAY" preload="auto"></audio>',
    "video": '<video src="AWAY" preload="auto"></video>',
    "poster": '<video poster="AWAY"></video>',
    "refresh": "<iframe srcdoc=\"<meta http-equiv='refresh' content='0; url=AWAY'>\"></iframe>",
    "speculation": '<script type="speculationrules">{"prefetch": [{"source": "list", '
    '"urls": ["AWAY"], "eagerness": "immediate"}]}</script>',
    "form": '<iframe name="n1"></iframe><form target="n1" action="AWAY" id="f1"></form>'
    "<script>f1.submit()</script>",
    "posted form": '<iframe name="n2"></iframe><form method="post" target="n2" action="AWAY" '
    'id="f2"><input name="a"></form><script>f2.submit()</script>',
    "ping": '<iframe name="n3"></iframe><a href="about:blank" target="n3" ping="AWAY" id="a3">x</a>'
    "<script>a3.click()</script>",
    "redirect": '<img src="/moved">',
}
_SCRIPTS = {
    "fetch": "fetch('AWAY')",
    "fetch without cors": "fetch('AWAY', {mode: 'no-cors'})",
    "fetch kept alive": "fetch('AWAY', {mode: 'no-cors', keepalive: true, method: 'POST'})",
    "request": "{const x = new XMLHttpRequest(); x.open('GET', 'AWAY'); x.send()}",
    "beacon": "navigator.sendBeacon('AWAY', 'x')",
    "web socket": "new WebSocket('AWAY'.replace('http', 'ws'))",
    "events": "new EventSource('AWAY')",
    "new image": "new Image().src = 'AWAY'",
    "dynamic import": "import('AWAY')",
    "worker": "new Worker(URL.createObjectURL(new Blob([\"fetch('AWAY', {mode: 'no-cors'})\"])))",
    "script of a worker": "new Worker(URL.createObjectURL(new Blob([\"importScripts('AWAY')\"])))",
    "shared worker": "new SharedWorker(URL.createObjectURL(new Blob(["
    "\"fetch('AWAY', {mode: 'no-cors'})\"])))",
    "worklet": "CSS.paintWorklet && CSS.paintWorklet.addModule('AWAY')",
    "cache": "caches.open('c').then(c => c.add(new Request('AWAY', {mode: 'no-cors'})))",
    "written page": "document.body.insertAdjacentHTML('beforeend', '<img src=\"AWAY\">')",
    "frame by script": "{const f = document.createElement('iframe'); document.body.append(f); "
    "f.contentWindow.location = 'AWAY'}",
}
# Datagrams: a page that asks for its own address contacts a server of its choice.
_STUN = (
    "{const c = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:UDP'}, "
    "{urls: 'turn:127.0.0.1:UDP?transport=udp', username: 'u', credential: 'p'}]});"
    "c.createDataChannel('d'); c.createOffer().then(o => c.setLocalDescription(o))}"
)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.count = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.count += 1


def _page(udp_port: int) -> str:
    def away(text: str, name: str) -> str:
        return text.replace("AWAY", f"OTHER/away/{name.replace(' ', '-')}")

    markup = "".join(away(text, name) for name, text in _MARKUP.items())
    scripts = "".join(
        f"<script>try {{ {away(text, name)} }} catch (e) {{}}</script>"
        for name, text in _SCRIPTS.items()
    )
    stun = f"<script>try {{ {_STUN.replace('UDP', str(udp_port))} }} catch (e) {{}}</script>"
    return f"<!DOCTYPE html><title>Ways</title><body>{markup}{scripts}{stun}"


@pytest.mark.long
async def test_no_way_out_of_a_page(browser_path, http):
    """Of fifty ways out nearly all reach the other host where it is allowed, and none elsewhere."""
    transport, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
        _Datagrams, local_addr=("127.0.0.1", 0)
    )
    reached: list[set[str]] = []
    steps: list[str] = []
    udp_port = transport.get_extra_info("sockname")[1]
    async with serve_pages(
        {"/": _page(udp_port), "/moved": "REDIRECT OTHER/away/redirect"}
    ) as site:
        chromium = ChromiumSettings(allow_private_addresses=[site.url, site.other_url])
        async with LocalServer(executor="chromium", chromium=chromium, recordings=False) as server:
            caller = Caller(server, http)
            for allowed in (["127.0.0.1"], None):
                site.asked.clear()
                task_id = await caller.create(
                    f"Open {site.url}/. Wait 3 s. Tell me the title", allowed_domains=allowed
                )
                await until(lambda: caller.stored(task_id).status.is_terminal, 25)  # noqa: B023 - of this turn
                record = caller.stored(task_id)
                assert record.output == "Ways", record
                reached.append({path for path in site.asked if path.startswith("/away/")})
                steps.append(" ".join(step.evaluation_previous_goal for step in record.steps))
    transport.close()

    assert reached[0] == set()
    assert f"localhost:{site.port} is outside the allowed domains" in steps[0]
    assert "outside" not in steps[1]
    # The control.
    missed = {f"/away/{name.replace(' ', '-')}" for name in {**_MARKUP, **_SCRIPTS}} - reached[1]
    assert len(reached[1]) >= 46, missed
    assert datagrams.count == 0
