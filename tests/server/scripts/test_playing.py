"""Scripts in a real browser: recorded once, played on the same and on later pages."""

import json
from collections.abc import AsyncIterator, Mapping

import pytest

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.scripts.notation import parse
from browser_use_async.server.executors.scripts.script import Effect
from browser_use_async.server.records import Failed, Finished, ScriptOrder
from tests.server.browser.pages import Site, serve_pages
from tests.server.browser.running import browse
from tests.server.reader.running import Run

SCHEMA = {
    "type": "object",
    "properties": {"company": {"type": "string"}, "city": {"type": "string"}},
    "required": ["company", "city"],
}
COVER = "<div style='position:fixed;inset:0;background:#fff'>{}</div>"
CITIES = {"Blue Mill": "Bern", "Old Mill": "Graz", "Red Barn": "Ghent"}


def register(
    *, field: str = "Company name", banner: str = "", link: str = "{name}", term: str = "City"
) -> Mapping[str, str]:
    """A register of companies: a form, its results and a page for each company."""
    pages = {
        "/": f"""<title>Register</title><h1>Find a company</h1>{banner}
            <form action=/results><label>{field} <input name=q></label>
            <button>Search</button></form>""",
        "/results": """<title>Results</title><h1>Results</h1><ul>"""
        + "".join(
            f"<li><a href=/company/{number}>{link.format(name=name)}</a></li>"
            for number, name in enumerate(CITIES)
        )
        + "</ul>",
    }
    for number, (name, city) in enumerate(CITIES.items()):
        pages[f"/company/{number}"] = (
            f"<title>{name}</title><h1>{name}</h1>"
            f"<dl><dt>Company</dt><dd>{name}</dd><dt>{term}</dt><dd>{city}</dd></dl>"
        )
    return pages


def task_of(site: Site, name: str) -> str:
    """The task of the first run, in step lines."""
    return (
        f'Open {site.url}/, fill "Company name" with "{name}", click "Search" and click "{name}". '
        "Tell me the company and the city"
    )


async def first_run(chromium: ChromiumExecutor, site: Site, name: str = "Blue Mill") -> str:
    """Record the script, and return its text."""
    order = ScriptOrder("office", {"company": name})
    done = await browse(chromium, task_of(site, name), schema=SCHEMA, script=order)
    assert done.value == {"company": name, "city": CITIES[name]}
    assert isinstance(done.end, Finished)
    assert done.end.script is not None
    assert not done.end.script.problem
    return done.end.script.text


async def play(
    chromium: ChromiumExecutor, text: str, name: str = "Old Mill", **settings: object
) -> Run:
    """Play a script with another input."""
    order = ScriptOrder("office", {"company": name}, text, 1)
    return await browse(chromium, "Find it", schema=SCHEMA, script=order, **settings)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The register as it is when the script is recorded."""
    async with serve_pages(register()) as site:
        yield site


async def test_a_script_is_recorded_and_played_with_another_input(
    chromium: ChromiumExecutor, site: Site
) -> None:
    """The second run asks no model, and gives the values of its own pages."""
    text = await first_run(chromium, site)
    script = parse(text)
    assert script.inputs == ("company",)
    assert not script.unplaced
    assert {each.effect for each in script.steps} == {Effect.READS}
    assert "{company}" in text
    assert "Blue Mill" not in text
    assert "Bern" not in text
    done = await play(chromium, text)
    assert done.value == {"company": "Old Mill", "city": "Graz"}
    assert isinstance(done.end, Finished)
    assert done.end.script is not None
    assert done.end.script.played == 4
    assert done.end.script.model_calls == 0
    assert [step.next_goal for step in done.steps][-1] == "Read the answer"


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        ({"link": "{name} Ltd"}, "Click “Old Mill”: "),
        ({"field": "Firm"}, ""),  # found by its attribute, which is another sign
        ({"term": "Town"}, "city is not where it was"),
        ({"banner": COVER.format("Hi <button onclick='parentElement.remove()'>OK</button>")}, ""),
        ({"banner": COVER.format("Subscribe first")}, "something lies over it"),
    ],
)  # fmt: skip
async def test_a_changed_page_gives_the_right_answer_or_a_reason(
    chromium: ChromiumExecutor, site: Site, later: dict[str, str], reason: str
) -> None:
    """What is not as it was is refused by its step, and never guessed."""
    text = await first_run(chromium, site)
    async with serve_pages(register(**later)) as changed:
        done = await play(chromium, text.replace(site.url, changed.url))
    if reason:
        assert isinstance(done.end, Failed)
        assert reason in done.reason
    else:
        assert json.loads(done.output) == {"company": "Old Mill", "city": "Graz"}
