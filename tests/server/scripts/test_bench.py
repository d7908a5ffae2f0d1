"""The bench of scripts in its short form: recorded from step lines, played on changed sites."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from benchmarks.scripts.runs import Outcome, Verdict, lines_of, play, record
from benchmarks.scripts.site import Site, Version, serve
from benchmarks.scripts.sites import Bookings, Companies, Invoices, Members, Rates, Reports, Shop
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.settings import ChromiumSettings

RIGHT, REFUSED, ASKED, WRONG = Verdict

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


async def played(
    chromium: ChromiumExecutor, kind: type[Site], *versions: Version
) -> dict[Version, Outcome]:
    """The result of a script on later versions of its site."""
    async with serve(kind()) as site:
        recorded = await record(site, chromium, lines_of(site))
        assert recorded.text, recorded.why
        return {
            version: await play(site, chromium, recorded.text, version, site.later)
            for version in versions
        }


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Companies, {Version.SAME: RIGHT, Version.STRUCTURE: RIGHT, Version.EVIL: REFUSED}),
        (Shop, {Version.SAME: RIGHT, Version.TEXTS: ASKED, Version.EVIL: ASKED}),
        # Its page asks in a message box before it books, and asks another question later.
        (Bookings, {Version.SAME: RIGHT, Version.EVIL: REFUSED}),
    ],
    ids=lambda it: it.__name__ if isinstance(it, type) else "",
)
async def test_scripts_are_right_or_refused(chromium, kind, wanted):
    """Never wrong, and nothing is ordered or sent beyond the task."""
    outcomes = await played(chromium, kind, *wanted)
    assert {version: it.verdict for version, it in outcomes.items()} == wanted, outcomes
    assert not sum(it.bad_changes for it in outcomes.values())


async def test_a_link_that_was_renamed_does_not_end_a_list(chromium):
    """It is still the link to the next page, so that the list is incomplete without it."""
    outcomes = await played(chromium, Invoices, Version.TEXTS)
    assert outcomes[Version.TEXTS].verdict is REFUSED
    assert "Click “Next”: nothing found" in outcomes[Version.TEXTS].why


MEMBERS = """script bench
answer: end

open URL/
    causes: GET URL/more
scroll bottom
    page: URL/
    redraws: yes
    repeats: yes
"""
RATES = """script bench
inputs: currency
answer: end
same as: currency {currency}

open URL/
fill "Currency" with "{currency}"
    role: textbox
    name: Currency
    field: c
    form: Convert
    frame: URL/form
    page: URL/
click "Convert"
    role: button
    name: Convert
    heading: Calculator
    form: Convert
    frame: URL/form
    page: URL/
    causes: GET URL/rate
    redraws: yes
"""
REPORTS = """script bench
inputs: year
answer: end

open URL/
download "Download"
    role: link
    name: Download
    item: {year}
    heading: Reports
    page: URL/
"""


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        # A list that is longer than before is scrolled to its end.
        (Members, MEMBERS, {Version.SAME: RIGHT, Version.EVIL: RIGHT}),
        # An element over a frame is closed before a click in the frame.
        (Rates, RATES, {Version.BANNER: RIGHT, Version.EVIL: REFUSED}),
        (Reports, REPORTS, {Version.SAME: RIGHT, Version.GONE: REFUSED}),
    ],
    ids=["Members", "Rates", "Reports"],
)
async def test_scripts_of_the_agent_are_right_or_refused(chromium, kind, text, wanted):
    """These are scripts that no task in step lines records."""
    async with serve(kind()) as site:
        for version, verdict in wanted.items():
            own = text.replace("URL", site.url)
            outcome = await play(site, chromium, own, version, site.later)
            assert outcome.verdict is verdict, outcome


async def test_a_download_that_breaks_off_is_refused(chromium):
    """With the name of the file, and the reason."""

    class Broken(Reports):
        async def answer(self, path: str, given: Mapping[str, str]) -> Any:
            if path.startswith("/file"):
                raise web.HTTPNotFound
            return await super().answer(path, given)

    async with serve(Broken()) as site:
        own = REPORTS.replace("URL", site.url)
        outcome = await play(site, chromium, own, Version.SAME, site.later)
    assert outcome.verdict is REFUSED
    assert "Download" in outcome.why or "download" in outcome.why


async def test_without_guards_they_are_wrong(browser_path):
    """The control: only the guards keep a script from wrong answers."""
    settings = ChromiumSettings(browser_path, allow_private_addresses=True)
    careless = ChromiumExecutor(settings, guards=False)
    try:
        ordered = await played(careless, Shop, Version.EVIL)
        async with serve(Members()) as site:
            text = MEMBERS.replace("URL", site.url)
            listed = await play(site, careless, text, Version.SAME, site.later)
    finally:
        await careless.aclose()
    assert ordered[Version.EVIL].bad_changes == 1
    assert listed.verdict is WRONG
