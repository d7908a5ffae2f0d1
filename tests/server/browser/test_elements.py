"""Elements are found by their words, and accept the input of a person."""

import pytest

from browser_use_async.server.executors.browser.elements import (
    Element,
    check,
    click,
    fill,
)
from browser_use_async.server.executors.browser.locators import (
    ElementNotFoundError,
    locate,
)
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.executors.protocol import CannotContinueError

PAGE = """
<button id=send title="Post it">Send</button><button id=later>Send later today</button>
<button id=gone style="display: none">Vanished</button><button id=off disabled>Locked</button>
<a id=plans href="/plans"><b>Service</b> plans</a><p>Service plan</p>
<a id=pricing href="/pricing">Pricing</a><a id=in href="/in">Sign in</a>
<a id=companies href="/companies">Companies</a>
<a id=cart href="/cart"><img alt="Your cart"></a><div id=menu role=button aria-label="Menu">=</div>
<input id=go type=submit value="Go on"><span id=made onclick="document.title = 'made'">Make</span>
<label for=name>Your name *</label><input id=name>
<label>Topic <select id=topic><option>One thing</option><option value=x>Another</option></select>
</label><select id=colours multiple aria-label=Colours><option selected>Red<option>Blue</select>
<input id=search placeholder="Search the shop"><textarea id=note title="A note"></textarea>
<input id=zip name=postcode><input id=day type=date aria-label=Day>
<input id=fixed aria-label=Fixed readonly><label for=agree>I agree</label>
<input id=agree type=checkbox style="display: none"><div id=host></div>
<iframe srcdoc="<label for=inner>Card number</label><input id=inner>"></iframe>
<div style="position: fixed; inset: 0"></div>
<script>host.attachShadow({ mode: 'open' }).innerHTML = '<button id=deep>Deep</button>'</script>
"""


@pytest.fixture
async def elements(page):
    """A page with all kinds of elements, under another element that covers them."""
    task_page = TaskPage(page)
    await page.set_content(PAGE)
    return task_page


async def _id(element: Element) -> str:
    return str(await element.handle.get_attribute("id"))


CLICKABLES = {
    "send": "send",
    "later today": "later",
    "post it": "send",
    "service plans": "plans",
    "Companies": "companies",
    "sign IN": "in",
    "Your cart": "cart",
    "menu": "menu",
    "Go on": "go",
    "Make": "made",
    "Deep": "deep",
}
FIELDS = {
    "your name": "name",
    "name": "name",
    "Topic": "topic",
    "Search the shop": "search",
    "note": "note",
    "postcode": "zip",
    "I agree": "agree",
    "Card number": "inner",
}


@pytest.mark.parametrize(("kind", "expected"), [("clickables", CLICKABLES), ("fields", FIELDS)])
async def test_elements_are_found_by_their_words(elements, kind, expected):
    """Label, text, tooltip, placeholder, picture and name lead to an element, whatever its kind."""
    found = {phrase: await _id(await locate(elements, kind, phrase)) for phrase in expected}

    assert found == expected


@pytest.mark.parametrize(
    ("kind", "phrase", "shown"),
    [
        ("clickables", "today", "Send later today”, “Send to all today"),
        ("fields", "card", "Card holder”, “Card number"),
    ],
)
async def test_several_elements_are_refused(elements, kind, phrase, shown):
    """The error has their names; an exact match has priority over a longer text."""
    await elements.page.set_content(
        PAGE + "<button>Send to all today</button><input aria-label='Card holder'>"
        "<a href=/x>Help</a><footer><a href=/x>Help</a></footer><button>Help me</button>"
    )
    with pytest.raises(ElementNotFoundError, match=f"has 2 elements called “{phrase}”: “{shown}”"):
        await locate(elements, kind, phrase)

    assert (await locate(elements, "clickables", "help")).tag == "a"


@pytest.mark.parametrize("address", ["#", "javascript:void 0"])
async def test_links_that_only_start_a_script_are_several(elements, address):
    """Those of two rows do different things, although their names and addresses are the same."""
    row = f"<li><a href='{address}' onclick='remove()'>Delete</a></li>"
    await elements.page.set_content(f"<ul>{row}{row}</ul>")

    with pytest.raises(ElementNotFoundError, match="has 2 elements called “delete”"):
        await locate(elements, "clickables", "delete")


async def test_what_is_not_there_to_click_is_not_found(elements):
    """Hidden, disabled and other elements are not clicked; the error names those there are."""
    for phrase in ("Vanished", "Locked", "Your other name"):
        with pytest.raises(ElementNotFoundError, match="What can be clicked: Send, Send later"):
            await locate(elements, "clickables", phrase, patience=False)


async def test_fields_take_values(elements):
    """Texts, options, further options of a list, days and ticks arrive in their fields."""
    values = {
        "Your name": "Ada",
        "Topic": "another",
        "Colours": "Blue",
        "Day": "2026-03-01",
        "I agree": "yes",
        "Card number": "42",
    }
    for phrase, value in values.items():
        await fill(elements, await locate(elements, "fields", phrase), value, value)

    state = "[topic.value, colours.selectedOptions.length, day.value]"
    assert await elements.page.evaluate(state) == ["x", 2, "2026-03-01"]
    assert await elements.page.input_value("#name") == "Ada"
    assert await elements.page.is_checked("#agree")
    assert await elements.page.frames[1].input_value("#inner") == "42"


async def test_fields_refuse_what_does_not_fit(elements):
    """The error has the field and the value that it does not accept."""
    for phrase, value, reason in (
        ("Fixed", "1", "“Fixed” cannot be changed"),
        ("Topic", "Swans", "has no Swans. It has: One thing, Another"),
        ("Day", "tomorrow", r"“Day” \(date\) does not take tomorrow"),
    ):
        with pytest.raises(CannotContinueError, match=reason):
            await fill(elements, await locate(elements, "fields", phrase), value, value)
    with pytest.raises(CannotContinueError, match="“Day” is no box to tick"):
        await check(elements, await locate(elements, "fields", "Day"), on=True)


async def test_what_is_covered_is_clicked_by_a_script(elements):
    """An element that covers another one does not keep the task from clicking it."""
    await click(elements, await locate(elements, "clickables", "Make"))

    assert await elements.page.title() == "made"
