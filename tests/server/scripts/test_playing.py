"""Scripts in a real browser: recorded once, played on the same and on later pages."""

import json
import re
from collections.abc import Mapping

import pytest

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.model import Model
from browser_use_async.server.executors.scripts.notation import parse
from browser_use_async.server.executors.scripts.script import Effect
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from browser_use_async.server.records import Failed, Finished, ScriptOrder
from tests.agent.scripted_model import KEY, Says, ScriptedModel
from tests.server.browser.pages import Site, serve_pages
from tests.server.browser.running import browse
from tests.server.plain.running import Run

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


def task_of(company_site: Site, name: str) -> str:
    """The task of the first run, in step lines."""
    return (
        f'Open {company_site.url}/, fill "Company name" with "{name}", click "Search" and '
        f'click "{name}". Tell me the company and the city'
    )


async def first_run(chromium: ChromiumExecutor, company_site: Site, name: str = "Blue Mill") -> str:
    """Record the script, and return its text."""
    order = ScriptOrder("office", {"company": name})
    done = await browse(chromium, task_of(company_site, name), schema=SCHEMA, script=order)
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


async def test_a_script_is_recorded_and_played_with_another_input(chromium, company_site):
    """The second run needs no model, and has the values of its own pages."""
    text = await first_run(chromium, company_site)
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


# As it was written before answers were read by names.
OLD = """\
script office
inputs: company

open URL/
fill "Company name" with {company}
    page: URL/
read city
    page: end
    from: term "Head office" as text "as written"
"""


async def test_a_script_of_another_notation_is_refused_with_its_line(chromium, company_site):
    """No page is opened for it, and the reason says what to do."""
    refused = await play(chromium, OLD.replace("URL", company_site.url))
    assert refused.reason == (
        "Version 1 of the script office cannot be read: line 9: nothing is called “from” here. "
        "The nearest is: form. Correct it; or delete the script, and the next task records it "
        "again."
    )
    assert company_site.asked == []


async def test_a_screenshot_is_taken_again(chromium, company_site):
    """An output file of the first run is one of the next runs, with their own content."""
    task = (
        f'Open {company_site.url}/, fill "Company name" with "Blue Mill", '
        "take a screenshot as form.png"
    )
    order = ScriptOrder("office", {"company": "Blue Mill"})
    first = await browse(chromium, f"{task}. Tell me the text", script=order)
    assert isinstance(first.end, Finished)
    assert first.end.script is not None

    order = ScriptOrder("office", {"company": "Old Mill"}, first.end.script.text, 1)
    done = await browse(chromium, f"{task}. Tell me the text", script=order)

    assert isinstance(done.end, Finished)
    assert done.end.script is not None
    assert (done.end.script.played, done.end.script.model_calls) == (3, 0)
    assert first.files["form.png"].startswith(b"\x89PNG")
    assert done.files["form.png"].startswith(b"\x89PNG")
    assert done.files["form.png"] != first.files["form.png"]


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", "x" * 300, "-x", "x\u202e"])
async def test_no_file_is_written_outside_of_its_folder(chromium, company_site, name):
    """An input may be a part of a name, but the name stays that of a file."""
    text = (
        f"script office\ninputs: company\n\nopen {company_site.url}/\n"
        "take a screenshot as {company}.png\n"
    )
    done = await browse(
        chromium, "Find it", script=ScriptOrder("office", {"company": name}, text, 1)
    )

    assert isinstance(done.end, Failed)
    assert "cannot be written: the name of a file has letters" in done.reason


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        ({"link": "{name} Ltd"}, "Click “Old Mill”: "),
        ({"field": "Firm"}, ""),  # found by its attribute, which is another sign
        ({"term": "Town"}, "city is not named on the page"),
        ({"banner": COVER.format("Hi <button onclick='parentElement.remove()'>OK</button>")}, ""),
        ({"banner": COVER.format("Subscribe first")}, "something lies over it"),
    ],
)  # fmt: skip
async def test_a_changed_page_gives_the_right_answer_or_a_reason(
    chromium, company_site, later, reason
):
    """A changed place is refused by its step, and never guessed."""
    text = await first_run(chromium, company_site)
    async with serve_pages(register(**later)) as changed:
        done = await play(chromium, text.replace(company_site.url, changed.url))
    if reason:
        assert isinstance(done.end, Failed)
        assert reason in done.reason
    else:
        assert json.loads(done.output) == {"company": "Old Mill", "city": "Graz"}


@pytest.mark.parametrize("later", [{"link": "{name} Ltd"}, {"term": "Town"}])
async def test_what_does_not_fit_may_go_to_the_agent(chromium, company_site, later):
    """Nothing is mended step by step; the agent does the task anew, if nothing was changed."""
    text = await first_run(chromium, company_site)
    async with serve_pages(register(**later)) as changed:
        done = await play(chromium, text.replace(company_site.url, changed.url))

    assert isinstance(done.end, Failed)
    assert done.end.script is not None
    assert done.end.script.may_go_on
    assert (done.end.script.model_calls, done.end.script.text) == (0, "")


async def test_what_has_no_name_is_asked_of_a_model_once(browser_path, company_site):
    """The other fields are read from the page as before."""
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "mood": {"type": "string"}}}
    said: Says = {"company": "no", "city": "no", "mood": "calm"}
    async with ScriptedModel([lambda _: said]) as model:
        settings = ChromiumSettings(browser_path, allow_private_addresses=True)
        reading = Model.of(AgentSettings(llm_base_url=model.url, llm_key=KEY))
        executor = ChromiumExecutor(settings, reading)
        try:
            text = await first_run(executor, company_site)
            text = text.replace("answer: end\n", "answer: end\nneeds the model: mood\n")
            order = ScriptOrder("office", {"company": "Old Mill"}, text, 1)
            done = await browse(executor, "Find it", schema=schema, script=order)
        finally:
            await executor.aclose()

    assert done.value == {"company": "Old Mill", "city": "Graz", "mood": "calm"}
    assert isinstance(done.end, Finished)
    assert done.end.script is not None
    assert done.end.script.model_calls == len(model.asked) == 1


async def test_rows_that_are_named_in_their_first_cell_are_read(chromium):
    """Accessible tables name their rows by `<th scope=row>`."""
    table = (
        "<title>Prices</title><table><caption>Plans</caption>"
        "<tr><th scope=col>Plan</th><th scope=col>Price</th></tr>{}</table>"
    )
    row = "<tr><th scope=row>{}</th><td>{}</td></tr>"
    schema = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"plan": {"type": "string"}, "price": {"type": "number"}},
        },
    }
    pages = {"/": table.format(row.format("Basic", "5.50") + row.format("Team", "9.00"))}
    async with serve_pages(pages) as shop:
        task = f"Open {shop.url}/ and list the plans with their prices"
        first = await browse(chromium, task, schema=schema, script=ScriptOrder("plans", {}))
        assert isinstance(first.end, Finished)
        assert first.end.script is not None
        pages["/"] = table.format(row.format("Team", "9.90") + row.format("Large", "1,250.00"))
        order = ScriptOrder("plans", {}, first.end.script.text, 1)
        later = await browse(chromium, task, schema=schema, script=order)

    assert first.value == [{"plan": "Basic", "price": 5.5}, {"plan": "Team", "price": 9}]
    assert later.value == [{"plan": "Team", "price": 9.9}, {"plan": "Large", "price": 1250}]


async def test_what_changes_something_is_left_to_a_person(chromium):
    """Its page has changed: a person is asked, and nothing is ordered."""
    ordered: list[str] = []
    shop = {
        "/": "<title>Shop</title><h1>Tea</h1><form method=post action=/order>"
        "<button>{label}</button></form>",
        "/order": "<title>Thanks</title><h1>Thank you</h1>",
    }
    first = {**shop, "/": shop["/"].format(label="Order tea")}
    order = ScriptOrder("order", {})
    async with serve_pages(first) as company_site:
        done = await browse(
            chromium,
            f"Open {company_site.url}/, click “Order tea” and tell me the title",
            script=order,
        )
        assert isinstance(done.end, Finished)
        assert done.end.script is not None
        text = done.end.script.text
        assert "effect: changes" in text
        played = await browse(chromium, "Order it", script=ScriptOrder("order", {}, text, 1))
        assert played.output == "Thanks"
        assert company_site.asked.count("/order") == 2
    changed = {**shop, "/": shop["/"].format(label="Order coffee")}
    async with serve_pages(changed) as company_site:
        text = text.replace(re.findall(r"http://127\.0\.0\.1:\d+", text)[0], company_site.url)
        refused = await browse(
            chromium, "Order it", script=ScriptOrder("order", {}, text, 1, is_attended=False)
        )
        asked = await browse(chromium, "Order it", script=ScriptOrder("order", {}, text, 1))
        ordered += [path for path in company_site.asked if path == "/order"]

    assert "Order coffee" in refused.reason or "nothing found" in refused.reason
    assert isinstance(refused.end, Failed)
    assert refused.end.script is not None
    assert not refused.end.script.may_go_on
    (step,) = [each for each in asked.steps if each.asks_for]
    assert step.asks_for == "approval"
    assert "Do it by hand if it is right" in step.next_goal
    assert ordered == []
