"""The same kinds of tasks on a site with other names, titles, prices and pages.

The answers must come from the pages: it may not know the example site.
"""

import shutil
from pathlib import Path

import pytest

from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from tests.server.plain.running import properties, run, table_of

TEXT, NUMBER, WHOLE, FLAG = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))

WORDS = {
    "Tern &amp; Tide Bicycles": "Moss &amp; Ember Kettles",
    "Tern & Tide": "Moss & Ember",
    "Service plans": "Care levels",
    "service plan": "care level",
    "Plan</th>": "Level</th>",
    "Price per month": "Fee per quarter",
    "Courtesy bicycle": "Spare kettle",
    "Commuter": "Copper",
    "$12.00": "€1.012,50",
    "$29.00": "€88",
    "Quayside Cargo": "Inkwell Samovar",
    "quayside-cargo": "inkwell-samovar",
    "2950.00": "77.20",
    "$2,950.00": "$77.20",
    "Bicycles</a>": "Kettles</a>",
    "pricing.html": "levels.html",
    "Ines Halloran": "Petra Vaz",
    "2025-11-18": "2019-04-02",
    "How to bring a chain through the winter": "Why a kettle sings",
    "<dt>Founded</dt><dd>2009</dd>": "<dt>Started in</dt><dd>1987</dd>",
    "Wheel trued,18.00": "Spout mended,6.25",
}


@pytest.fixture
async def other(tmp_path):
    """The address of the rewritten site."""
    copy = tmp_path / "site"
    shutil.copytree(example_site_directory(), copy)
    for file in [path for path in copy.rglob("*") if path.suffix in {".html", ".csv"}]:
        text = file.read_text(encoding="utf-8")
        for old, new in WORDS.items():
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
    (copy / "pricing.html").rename(copy / "levels.html")
    (copy / "products" / "quayside-cargo.html").rename(copy / "products" / "inkwell-samovar.html")
    async with StaticSite(copy) as served:
        yield served.url


async def test_title_is_the_new_one(plain, other):
    """The title of the start page is the rewritten one."""
    done = await run(plain, f"Open {other} and tell me its title")

    assert done.output == "Moss & Ember Kettles"


async def test_new_links_are_followed(plain, other):
    """Links are found by their new names, and no longer by the old ones."""
    task = f"Open {other}, click {{}} and tell me its title"

    assert (
        await run(plain, task.format("Care levels"))
    ).output == "Care levels | Moss & Ember Kettles"
    assert "no link “Service plans”" in (await run(plain, task.format("Service plans"))).reason


async def test_new_text_is_read(plain, other):
    """The text of the article contains the new names and none of the old ones."""
    done = await run(plain, f"Read {other}/journal/winter-chain-care.html")

    assert "# Why a kettle sings\nBy Petra Vaz" in done.output
    assert not [old for old in WORDS if old in done.output]


async def test_new_table_fills_the_schema(plain, other):
    """New column names, names and prices, the latter in another spelling."""
    schema = properties(levels=table_of(name=TEXT, fee_per_quarter=NUMBER, spare_kettle=FLAG))
    done = await run(plain, f"Open the care levels page of {other}", schema=schema)

    assert done.value == {
        "levels": [
            {"name": "Copper", "fee_per_quarter": 1012.5, "spare_kettle": False},
            {"name": "Family", "fee_per_quarter": 88, "spare_kettle": True},
            {"name": "Courier", "fee_per_quarter": 64.5, "spare_kettle": True},
        ]
    }


async def test_old_fields_are_gone(plain, other):
    """A field that only the old site had fails the task."""
    schema = properties(founded=WHOLE)
    done = await run(plain, f"Open {other}/about.html", schema=schema)
    renamed = await run(plain, f"Open {other}/about.html", schema=properties(started_in=WHOLE))

    assert done.reason == f"founded is not named on the page: {other}/about.html."
    assert renamed.value == {"started_in": 1987}


async def test_new_product(plain, other):
    """The heading and the terms of a product page under a new address."""
    task = f"Open {other}, click Kettles, then follow the link 'inkwell samovar'"
    product = await run(plain, task, schema=properties(heading=TEXT, load=TEXT))

    assert product.value == {"heading": "Inkwell Samovar", "load": "120 kg"}


async def test_new_price_list_is_saved(plain, other):
    """The downloaded file contains the new rows."""
    task = f"Open {other}/levels.html, download the price list and save it as out.csv"
    done = await run(plain, task)

    assert b"Spout mended,6.25,30\n" in done.files["out.csv"]


def test_package_does_not_know_the_example_site():
    """No source file of the package contains a name, a title or an address of the example site."""
    package = Path(__file__).parents[3] / "browser_use_async"
    known = ("Tern & Tide", "Tern &", "Quayside", "Halloran", "winter-chain", "pricing.html")
    # Without the packages that read pages, the demo plays its tasks, so it has their results.
    apart = {"example_site", "demo.py"}
    sources = [path for path in package.rglob("*.py") if not apart & {*path.parts}]

    assert sources
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in known if word in text], path
