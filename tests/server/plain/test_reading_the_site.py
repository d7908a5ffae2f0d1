"""Tasks on the example site, in the words of a person."""

import csv
import io
import json
from operator import itemgetter

import pytest

from browser_use_async.server.html.visit import Cookies
from browser_use_async.server.records import Finished
from tests.server.plain.running import properties, run, table_of
from tests.server.raw_server import page, raw_server

TEXT, NUMBER, WHOLE, FLAG = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))


async def test_title_alone(plain, site):
    """A task that asks for the title gets the title and nothing else."""
    done = await run(plain, f"Open {site} and tell me its title")

    assert done.output == "Tern & Tide Bicycles"


async def test_title_and_text(plain, site):
    """A task that asks for more gets the title and the readable text, headings kept."""
    done = await run(plain, f"Read {site}/journal/winter-chain-care.html")
    title, blank, heading, *text = done.output.splitlines()

    assert title == "How to bring a chain through the winter | Tern & Tide Bicycles"
    assert blank == ""
    assert heading == "# How to bring a chain through the winter"
    assert "## Once a week" in text
    assert "- Put one drop of oil on each link" in text
    assert not [line for line in text if "Ropewalk Quay" in line or "Contact" in line]


async def test_links_are_followed_in_order(plain, site):
    """Links are followed one after the other, and the last page answers."""
    task = f"Go to {site}, click Bicycles, then open the quayside cargo page and tell me its title"
    done = await run(plain, task)

    assert done.output == "Quayside Cargo | Tern & Tide Bicycles"
    assert [step.url for step in done.steps] == [
        site,
        f"{site}/products.html",
        f"{site}/products/quayside-cargo.html",
        f"{site}/products/quayside-cargo.html",
    ]


async def test_several_pages_have_a_section_each(plain, site):
    """Each requested page has a section with its title and address."""
    done = await run(plain, f"Read {site}/pricing.html and {site}/contact.html")
    first, second = done.output.split("\n\n---\n\n")

    assert first.startswith(f"Service plans | Tern & Tide Bicycles\n{site}/pricing.html\n\n")
    assert second.startswith(f"Contact | Tern & Tide Bicycles\n{site}/contact.html\n\n")
    assert "Courier | $64.50" in first
    assert "Saturday | 10:00" in second


async def test_titles_of_several_pages(plain, site):
    """Several titles come one per line, each with its address."""
    done = await run(plain, f"Tell me the titles of {site}/about.html and {site}/contact.html")

    assert done.output.splitlines() == [
        f"About us | Tern & Tide Bicycles ({site}/about.html)",
        f"Contact | Tern & Tide Bicycles ({site}/contact.html)",
    ]


async def test_steps_say_what_was_done(plain, site):
    """Each step has a goal, a judgement of the step before and an address."""
    done = await run(plain, f"Open {site} and follow the link 'Service plans'")
    first, second, third = done.steps

    assert first.next_goal == f"steps without a browser: open {site}"
    assert first.evaluation_previous_goal == "None - this is the first step."
    assert second.next_goal == "Follow the link “Service plans”"
    assert second.evaluation_previous_goal == "Success - “Tern & Tide Bicycles” is open."
    assert second.url == f"{site}/pricing.html"
    assert third.next_goal == "Compose the answer"


async def test_table_becomes_objects(plain, site):
    """The table of a page fills a list of objects, with numbers and yes or no."""
    schema = properties(plans=table_of(name=TEXT, price_per_month=NUMBER, courtesy_bicycle=FLAG))
    done = await run(plain, f"Open {site} and follow the service plans link", schema=schema)

    assert done.value == {
        "plans": [
            {"name": "Commuter", "price_per_month": 12.0, "courtesy_bicycle": False},
            {"name": "Family", "price_per_month": 29.0, "courtesy_bicycle": True},
            {"name": "Courier", "price_per_month": 64.5, "courtesy_bicycle": True},
        ]
    }


async def test_article_fills_an_object(plain, site):
    """From the metadata of the page, and its headings."""
    schema = properties(heading=TEXT, description=TEXT, headings={"type": "array", "items": TEXT})
    done = await run(plain, f"Open {site}/journal/winter-chain-care.html", schema=schema)

    assert done.value == {
        "heading": "How to bring a chain through the winter",
        "description": "Salt eats chains. Ten minutes a week keep yours alive until spring.",
        "headings": ["How to bring a chain through the winter", "Once a week", "Once a month"],
    }


async def test_definition_list_and_product(plain, site):
    """Definition lists fill objects, and two product pages fill a list."""
    about = properties(founded=WHOLE, bicycles_built=WHOLE, team=table_of(name=TEXT, role=TEXT))
    products = table_of(heading=TEXT, weight=NUMBER, warranty=TEXT)
    pages = f"{site}/products/gull-junior.html and {site}/products/harbour-tourer.html"
    company = (await run(plain, f"Open {site}/about.html", schema=about)).value
    listed = (await run(plain, f"Open {pages}", schema=products)).value

    assert (company["founded"], company["bicycles_built"]) == (2009, 6240)
    assert company["team"][2] == {"name": "Aoife Lindqvist", "role": "Painter"}
    assert listed == [
        {"heading": "Gull Junior", "weight": 7.1, "warranty": "5 years"},
        {"heading": "Harbour Tourer", "weight": 13.4, "warranty": "10 years"},
    ]


async def test_table_is_saved(plain, site):
    """A table is saved as CSV, and the answer describes the file."""
    done = await run(plain, f"Open {site}/products.html and save the table as bikes.csv")
    rows = list(csv.reader(io.StringIO(done.files["bikes.csv"].decode())))

    assert rows[0] == ["Product", "Category", "Price", "Weight (kg)", "In stock"]
    assert rows[2] == ["Quayside Cargo", "Cargo", "$2,950.00", "31.2", "Yes"]
    assert done.output == "Saved bikes.csv: 3 rows of All bicycles."


async def test_download_is_read_and_saved(plain, site):
    """A linked CSV file is opened, read and saved; words are added on request."""
    task = (
        f"Open {site}/pricing.html, download the price list, save it as p.csv and tell me about it"
    )
    done = await run(plain, task)

    assert done.files["p.csv"].startswith(b"Repair,Price,Minutes\nNew chain,38.00,20\n")
    assert done.output.startswith("price-list.csv\n\nRepair | Price | Minutes\n")
    assert done.output.endswith("\n\nSaved p.csv: 4 rows of price-list.csv.")


async def test_structured_answer_is_saved_as_well(plain, site):
    """The JSON that fills the schema is the output and the file."""
    schema = properties(title=TEXT)
    done = await run(plain, f"Open {site}/about.html and save it as a.json", schema=schema)

    assert json.loads(done.files["a.json"]) == done.value
    assert done.value == {"title": "About us | Tern & Tide Bicycles"}


async def test_files_that_came_with_the_task_are_read(plain):
    """A CSV and a text file take the place of pages."""
    files = {"list.csv": b"Item,Price\nLamp,$9.50\n", "note.txt": b"remember the lamp"}
    schema = properties(items=table_of(item=TEXT, price=NUMBER))
    listed = await run(plain, "Read list.csv", schema=schema, files=files)
    both = await run(plain, "Read what is attached", files=files)

    assert listed.value == {"items": [{"item": "Lamp", "price": 9.5}]}
    assert listed.steps[0].url == "file:///list.csv"
    assert listed.steps[0].next_goal == "steps without a browser: open the file list.csv"
    assert "Lamp | $9.50" in both.output
    assert "remember the lamp" in both.output


async def test_cookies_are_handed_over(plain):
    """Cookies of servers are part of the result, the latest of each."""
    first = page(b"<title>1</title><a href=/2>next</a>", headers={"Set-Cookie": "a=1"})
    second = page(b"<title>2</title>", headers={"Set-Cookie": "a=2"})
    async with raw_server({"/": first, "/2": second}) as url:
        done = await run(plain, f"Open {url}, click next and tell me the title")

    assert isinstance(done.end, Finished)
    assert done.end.cookies == [{"name": "a", "value": "2", "domain": "127.0.0.1", "path": "/"}]


async def test_cookies_of_a_profile_stay_as_they_are(plain):
    """What keeps a login from other hosts, plain HTTP and scripts is kept, and so is its end."""
    flags = {"path": "/", "secure": True, "httpOnly": True, "sameSite": "Lax"}
    kept = [
        {"name": "login", "value": "1", "domain": "shop.example", "expires": 4e9, **flags},
        {"name": "visit", "value": "2", "domain": ".shop.example", "path": "/"},
    ]
    async with raw_server({"/": page(b"<title>1</title>")}) as url:
        done = await run(plain, f"Open {url} and tell me the title", cookies=kept)

    assert isinstance(done.end, Finished)
    assert sorted(done.end.cookies, key=itemgetter("name")) == kept


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://shop.example/", {"login", "visit"}),
        ("http://shop.example/", {"visit"}),
        ("https://other.shop.example/", {"visit"}),
        ("https://shop.example.org/", set()),
    ],
)
async def test_cookies_go_where_they_belong(url, sent):
    """One of a host goes to no other, a secure one over no plain HTTP."""
    login = {"name": "login", "value": "1", "domain": "shop.example", "secure": True}
    visit = {"name": "visit", "value": "2", "domain": ".shop.example"}
    said = Cookies([login, visit]).header(url).get("Cookie", "")

    assert {each.partition("=")[0] for each in said.split("; ") if each} == sent


@pytest.mark.parametrize(
    "ending", [f"Max-Age={'9' * 4000}", f"Max-Age={'9' * 400}", "Expires=Mon, 31 Feb 9999 00:00:00"]
)
async def test_a_cookie_without_a_sensible_end(plain, ending):
    """It ends no task."""
    first = page(b"<title>1</title>", headers={"Set-Cookie": f"a=1; {ending}"})
    async with raw_server({"/": first}) as url:
        done = await run(plain, f"Open {url} and tell me the title")

    assert isinstance(done.end, Finished)


async def test_long_texts_are_shortened(plain):
    """An answer has twenty thousand characters of text, and says how many are missing."""
    body = b"<title>Long</title><p>" + b"word " * 10_000
    async with raw_server({"/": page(body)}) as url:
        done = await run(plain, f"Read {url}")

    assert 20_000 < len(done.output) < 20_100
    assert done.output.endswith("[... 29,999 more characters]")
