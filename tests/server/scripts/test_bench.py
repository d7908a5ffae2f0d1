"""The bench of scripts in its short form: recorded from step lines, played on sites that change."""

import pytest

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
    """What comes of a script on later versions of its site."""
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
        # Its page asks in a message box before it books, and asks something else later.
        (Bookings, {Version.SAME: RIGHT, Version.EVIL: REFUSED}),
        # A list that is longer than it was is scrolled to its end.
        (Members, {Version.SAME: RIGHT, Version.EVIL: RIGHT}),
        (Reports, {Version.SAME: RIGHT, Version.GONE: REFUSED}),
        # What lies over a frame is closed before something in the frame is clicked.
        (Rates, {Version.BANNER: RIGHT, Version.EVIL: REFUSED}),
    ],
    ids=lambda it: it.__name__ if isinstance(it, type) else "",
)
async def test_scripts_are_right_or_refused(
    chromium: ChromiumExecutor, kind: type[Site], wanted: dict[Version, Verdict]
) -> None:
    """Never wrong, and nothing is ordered or sent that was not asked for."""
    outcomes = await played(chromium, kind, *wanted)
    assert {version: it.verdict for version, it in outcomes.items()} == wanted, outcomes
    assert not sum(it.bad_changes for it in outcomes.values())


async def test_a_link_that_was_renamed_does_not_end_a_list(chromium: ChromiumExecutor) -> None:
    """It is the link to the next page still, so that the list is not whole without it."""
    outcomes = await played(chromium, Invoices, Version.TEXTS)
    assert outcomes[Version.TEXTS].verdict is REFUSED
    assert "Click “Next”: nothing found" in outcomes[Version.TEXTS].why


async def test_without_guards_they_are_wrong(browser_path: str) -> None:
    """The control: what keeps a script from being wrong are its guards."""
    settings = ChromiumSettings(browser_path, allow_private_addresses=True)
    careless = ChromiumExecutor(settings, guards=False)
    try:
        ordered = await played(careless, Shop, Version.EVIL)
        listed = await played(careless, Members, Version.SAME)
    finally:
        await careless.aclose()
    assert ordered[Version.EVIL].bad_changes == 1
    assert listed[Version.SAME].verdict is WRONG
