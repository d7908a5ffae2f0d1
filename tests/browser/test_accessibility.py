"""The check of pages finds each barrier."""

from urllib.parse import quote

import pytest

from tests.browser.accessibility import barriers

_GOOD = '<title>Good</title><main><h1>Good</h1><p style="color:#545d6a">Words</p></main>'


@pytest.mark.parametrize(
    ("page", "barrier"),
    [
        (_GOOD, None),
        (_GOOD.replace("#545d6a", "#999"), "contrast 2.85"),
        (_GOOD + '<input style="width:100px;height:30px">', "no name"),
        (_GOOD + '<button style="width:20px;height:20px;padding:0">x</button>', "too small"),
        (_GOOD + '<img src="data:,">', "no text for the picture"),
        (_GOOD + '<a href="#" tabindex="3">x</a>', "out of the order"),
        (_GOOD + '<p aria-labelledby="missing">x</p>', "labelled by nothing"),
        (_GOOD + '<p id="a">x</p><p id="a">y</p>', "an id stands twice"),
        (_GOOD + "<h3>x</h3>", "a level of headings"),
        (_GOOD + '<p style="width:2000px">x</p>', "wider than the window"),
        (_GOOD.replace("h1", "p"), "not one heading"),
        (_GOOD.replace("main", "div"), "not one main part"),
        (_GOOD.replace("<title>Good</title>", ""), "no title"),
    ],
)
async def test_each_barrier_is_found(page, barrier, browser):
    """And nothing where there is none."""
    opened = await browser.open("data:text/html," + quote(f'<!doctype html><html lang="en">{page}'))
    found = await barriers(opened)

    assert [barrier] == [barrier for each in found if barrier and barrier in each] or not barrier
    assert len(found) == (1 if barrier else 0)
