import dataclasses
import json
from typing import Any

import pytest

from browser_use_async.server.executors.reader.extraction import NotReadableError, fill
from browser_use_async.server.executors.reader.facts import PageFacts
from browser_use_async.server.executors.schema import Schema
from browser_use_async.server.html.document import read_document
from browser_use_async.server.html.extraction import read_html
from browser_use_async.server.html.page import Page
from browser_use_async.structured_output.schema import output_schema

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}
FLAG = {"type": "boolean"}

LAMP = """<html><head><title>Lamp - Shop</title><meta name=description content="A lamp."></head>
<body><nav><a href=/home>Home</a></nav><h1>The lamp</h1><p>Bright.</p>
<h2>Details</h2><dl><dt>SKU<dd>L1<dt>Price<dd>39.50<dt>Availability<dd>in stock<dt>Section<dd>Lights
<dt>Cable length<dd>2.5 m<dt>Made in<dd>Porto<dt>Published on<dd>3 February 2025
<dt>Colours<dd>red, blue; green</dl>
<h2>Brand</h2><dl><dt>Name<dd>Lumen<dt>Country<dd>PT</dl></body></html>"""

PLANS = """<title>Plans</title><h2>Plans</h2><table><tr><th>Plan<th>Price per month<th>Seats<th>SSO
<tr><td><a href=/s>Small</a><td>$9.00<td>3<td>No<tr><td><a href=/l>Large</a><td>$1,200.00<td>90
<td>Yes</table><h2>Offices</h2><table><tr><th>City<th>Rooms<tr><td>Porto<td>4</table>"""


async def page(html: str, url: str = "https://a.example/d/p") -> Page:
    """A page."""
    return read_html(url, html)


def filled(schema: Any, *pages: Page) -> Any:
    """The values that a schema gets from pages."""
    return fill(Schema(json.dumps(schema)), PageFacts(pages))


def properties(required: list[str] | None = None, **parts: Any) -> dict[str, Any]:
    """The schema of an object, all of whose fields are required by default."""
    needed = list(parts) if required is None else required
    return {"type": "object", "properties": parts, "required": needed}


def unread(schema: Any, *pages: Page) -> str:
    """The field that cannot be read."""
    with pytest.raises(NotReadableError) as caught:
        filled(schema, *pages)
    return caught.value.path


def test_blanks_between_the_items_of_a_text_are_looked_at_once():
    """A text of a million blanks is searched in linear time."""
    odd = Page("https://a.example/", data=[{"colours": f"red ,{' ' * 1_000_000}x ; blue"}])
    schema = properties(colours={"type": "array", "items": TEXT})

    assert filled(schema, odd) == {"colours": ["red", "x", "blue"]}
    odd = Page("https://a.example/", data=[{"colours": f"red{' ' * 1_000_000}x"}])
    assert len(filled(schema, odd)["colours"]) == 1


async def test_fields_are_read_from_the_parts_of_a_page():
    """Title, description, address, first heading, text, and terms in any spelling."""
    schema = properties(
        title=TEXT, description=TEXT, url=TEXT, sku=TEXT, price=NUMBER, madeIn=TEXT,
        cable_length=NUMBER, section=TEXT, text=TEXT, heading=TEXT,
        published_on={"type": "string", "format": "date"},
    )  # fmt: skip
    found = filled(schema, await page(LAMP))

    assert found.pop("text").startswith("# The lamp\nBright.")
    assert found == {
        "title": "Lamp - Shop",
        "description": "A lamp.",
        "url": "https://a.example/d/p",
        "sku": "L1",
        "price": 39.5,
        "madeIn": "Porto",
        "cable_length": 2.5,
        "section": "Lights",
        "heading": "The lamp",
        "published_on": "2025-02-03",
    }


async def test_only_the_page_s_own_names_count():
    """Linked data, meta elements and words in front of a colon are no terms."""
    linked = '<script type="application/ld+json">{"@type": "Product", "price": "9"}</script>'
    meta = '<meta property="og:price" content="9"><meta name=price content=9>'
    lamp = await page(f"<title>Lamp</title>{linked}{meta}<p>Price: 9</p><ul><li>Price: 9</ul>")

    assert unread(properties(price=NUMBER), lamp) == "price"


async def test_lists_are_read_from_everywhere_on_a_page():
    """Headings, links, and enumerations in a value."""
    texts = {"type": "array", "items": TEXT}
    schema = properties(headings=texts, links=texts, colours=texts)

    assert filled(schema, await page(LAMP)) == {
        "headings": ["The lamp", "Details", "Brand"],
        "links": ["https://a.example/home"],
        "colours": ["red", "blue", "green"],
    }


async def test_columns_are_lists():
    """A column of a table is a list under its name, in the requested type."""
    schema = properties(
        plans={"type": "array", "items": TEXT},
        seats={"type": "array", "items": WHOLE},
        cities={"type": "array", "items": TEXT},
    )

    assert filled(schema, await page(PLANS)) == {
        "plans": ["Small", "Large"],
        "seats": [3, 90],
        "cities": ["Porto"],
    }


async def test_rows_are_objects():
    """The table with matching columns gives the objects; its first column names them."""
    plan = properties(["name", "price_per_month"], name=TEXT, price_per_month=NUMBER, seats=WHOLE,
                      sso=FLAG, url=TEXT, note={"anyOf": [TEXT, {"type": "null"}]})  # fmt: skip
    office = properties(city=TEXT, rooms=WHOLE)
    schema = properties(
        plans={"type": "array", "items": plan}, offices={"type": "array", "items": office}
    )

    assert filled(schema, await page(PLANS)) == {
        "plans": [
            {"name": "Small", "price_per_month": 9.0, "seats": 3, "sso": False,
             "url": "https://a.example/s", "note": None},
            {"name": "Large", "price_per_month": 1200.0, "seats": 90, "sso": True,
             "url": "https://a.example/l", "note": None},
        ],
        "offices": [{"city": "Porto", "rooms": 4}],
    }  # fmt: skip


async def test_links_and_headings_are_objects_as_well():
    """Lists of objects about links and headings."""
    link, heading = properties(text=TEXT, href=TEXT), properties(level=WHOLE, text=TEXT)
    schema = properties(
        links={"type": "array", "items": link}, headings={"type": "array", "items": heading}
    )

    assert filled(schema, await page("<h2>One</h2><a href=x>Two</a>")) == {
        "links": [{"text": "Two", "href": "https://a.example/d/x"}],
        "headings": [{"level": 2, "text": "One"}],
    }


async def test_inner_objects_are_read_from_what_is_named_so():
    """The terms below a heading of that name."""
    schema = properties(
        brand=properties(name=TEXT, country=TEXT),
        details=properties(made_in=TEXT),
    )

    assert filled(schema, await page(LAMP)) == {
        "brand": {"name": "Lumen", "country": "PT"},
        "details": {"made_in": "Porto"},
    }


async def test_inner_object_does_not_borrow_from_the_page():
    """The name of the page is not the name of another thing on it."""
    schema = properties(["title"], title=TEXT, shipper=properties(name=TEXT))

    assert filled(schema, await page(LAMP)) == {"title": "Lamp - Shop"}
    assert unread({**schema, "required": ["shipper"]}, await page(LAMP)) == "shipper"


@pytest.mark.parametrize("name", ["anything", "page", "result"])
async def test_wrapping_is_looked_through(name: str):
    """A single property may wrap the values of the page."""
    schema = properties(**{name: properties(title=TEXT, made_in=TEXT)})

    assert filled(schema, await page(LAMP)) == {name: {"title": "Lamp - Shop", "made_in": "Porto"}}


async def test_several_pages_are_several_objects():
    """With several pages, each of them is an object of the list."""
    one = await page("<title>One</title><dl><dt>Price<dd>$1</dl>", "https://a.example/1")
    two = await page("<title>Two</title><dl><dt>Price<dd>$2</dl>", "https://a.example/2")
    item = properties(title=TEXT, price=NUMBER, url=TEXT)
    schema = properties(items={"type": "array", "items": item})

    assert filled(schema, one, two) == {
        "items": [
            {"title": "One", "price": 1, "url": "https://a.example/1"},
            {"title": "Two", "price": 2, "url": "https://a.example/2"},
        ],
    }


async def test_dictionaries_are_filled_with_labels():
    """Objects with any properties: labels, those below a heading, and only values of the type."""
    any_text = {"type": "object", "additionalProperties": TEXT}
    numbers = {"type": "object", "additionalProperties": NUMBER}

    assert filled(any_text, await page("<dl><dt>A b<dd>7 kg<dt>C<dd>x</dl>")) == {
        "A b": "7 kg",
        "C": "x",
    }
    assert filled(properties(details=numbers), await page(LAMP)) == {
        "details": {"Price": 39.5, "Cable length": 2.5}
    }
    assert (
        filled({"title": "Plans", "type": "array", "items": any_text}, await page(PLANS))[0][
            "Seats"
        ]
        == "3"
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"type": "array", "items": properties(city=TEXT, rooms=WHOLE)},
            [{"city": "Porto", "rooms": 4}],
        ),
        ({"title": "Plans", "type": "array", "items": TEXT}, ["Small", "Large"]),
        ({"title": "Title", "type": "string"}, "Plans"),
        ({"title": "Title"}, "Plans"),
    ],
)  # fmt: skip
async def test_top_level_need_not_be_an_object(schema: Any, expected: Any):
    """Lists and single values, named by the schema's title."""
    assert filled(schema, await page(PLANS)) == expected


async def test_json_documents_are_read_like_pages():
    """Objects and lists of a JSON file."""
    body = json.dumps([{"id": 1, "tags": ["x"]}, {"id": 2, "tags": ["y", "z"]}]).encode()
    document = await read_document("https://a.example/d.json", "application/json", body)
    item = properties(id=WHOLE, tags={"type": "array", "items": TEXT})

    assert filled({"type": "array", "items": item}, document) == [
        {"id": 1, "tags": ["x"]},
        {"id": 2, "tags": ["y", "z"]},
    ]


async def test_objects_of_a_json_document_have_inner_values():
    """Single values become lists of one, and objects dictionaries; each is found at its place."""
    body = json.dumps({"shop": [{"id": 1, "size": 5, "extra": {"a": 1}}]}).encode()
    document = await read_document("https://a.example/d.json", "application/json", body)
    item = properties(
        size={"type": "array", "items": WHOLE},
        extra={"type": "object", "additionalProperties": WHOLE},
    )

    assert filled(properties(shop={"type": "array", "items": item}), document) == {
        "shop": [{"size": [5], "extra": {"a": 1}}],
    }
    assert unread(properties(size=WHOLE, title=TEXT), document) == "size"


async def test_lists_may_have_members_only():
    """A list of constants or of members of an enumeration accepts no other values."""
    colours = {"type": "array", "items": {"enum": ["red", "blue", "green"]}}
    only = {"type": "array", "items": {"const": "a"}}

    assert filled(properties(colours=colours), await page(LAMP))["colours"] == [
        "red",
        "blue",
        "green",
    ]
    assert unread(properties(colours=only), await page(LAMP)) == "colours"


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
async def test_constants_are_not_guessed(keyword: str):
    """Of several, the page says which one applies; an optional one may be null."""
    literals = {keyword: [{"const": "pass"}, {"const": "failing"}]}
    maybe = {keyword: [{"const": "pass"}, {"type": "null"}]}
    says = await page("<dl><dt>Status<dd>failing</dl>")
    silent = await page("<p>Nothing to see")

    assert filled(properties(status=literals), says) == {"status": "failing"}
    assert unread(properties(status=literals), silent) == "status"
    assert filled(properties(status=maybe, kind={"const": "check"}), silent) == {
        "status": None,
        "kind": "check",
    }


async def test_references_and_alternatives():
    """$ref with siblings, allOf, anyOf, oneOf, type lists, enum and const."""
    schema = {
        "$defs": {
            "Money": {"type": "number", "minimum": 0},
            "a/b~c": properties(made_in=TEXT),
        },
        "type": "object",
        "properties": {
            "price": {"$ref": "#/$defs/Money", "description": "what it costs"},
            "details": {"$ref": "#/$defs/a~1b~0c"},
            "made_in": {"anyOf": [{"type": "integer"}, TEXT]},
            "sku": {"oneOf": [{"type": "null"}, TEXT]},
            "name": {"type": ["integer", "string", "null"]},
            "availability": {"enum": ["out_of_stock", "in_stock"]},
            "kind": {"const": "lamp"},
            "section": {"allOf": [TEXT, {"maxLength": 20}]},
            "nothing": {"const": None},
        },
        "required": ["price", "details", "made_in", "sku", "name", "availability", "section"],
    }

    assert filled(schema, await page(LAMP)) == {
        "price": 39.5,
        "details": {"made_in": "Porto"},
        "made_in": "Porto",
        "sku": "L1",
        "name": "Lumen",
        "availability": "in_stock",
        "kind": "lamp",
        "section": "Lights",
        "nothing": None,
    }


async def test_missing_fields():
    """Required: named. Optional: null where null is allowed, otherwise left out."""
    nullable = {"anyOf": [NUMBER, {"type": "null"}]}
    lamp = await page(LAMP)

    assert filled(properties(["title"], title=TEXT, depth=NUMBER, height=nullable), lamp) == {
        "title": "Lamp - Shop",
        "height": None,
    }
    assert filled(properties(title=TEXT, height=nullable), lamp)["height"] is None
    assert unread(properties(title=TEXT, depth=NUMBER), lamp) == "depth"
    assert unread(properties(brand=properties(name=TEXT, founder=TEXT)), lamp) == "brand.founder"


async def test_missing_cell_is_named_by_its_row():
    """With one row without a number, the answer is refused with the place of the row."""
    html = PLANS.replace("$1,200.00", "on request")
    plan = properties(plan=TEXT, price_per_month=NUMBER)
    schema = properties(plans={"type": "array", "items": plan})

    assert unread(schema, await page(html)) == "plans[1].price_per_month"


async def test_nothing_at_all_is_no_answer():
    """An object without any readable field is no answer."""
    schema = properties([], depth=NUMBER, height={"anyOf": [NUMBER, {"type": "null"}]})

    assert unread(schema, await page(LAMP)) == ""


@pytest.mark.parametrize(
    ("part", "fits"),
    [
        ({"type": "number", "minimum": 39, "maximum": 40}, True),
        ({"type": "number", "minimum": 40}, False),
        ({"type": "number", "maximum": 39}, False),
        ({"type": "number", "exclusiveMinimum": 39.5}, False),
        ({"type": "number", "exclusiveMaximum": 39.5}, False),
        ({"type": "string", "minLength": 5, "maxLength": 5}, True),
        ({"type": "string", "minLength": 6}, False),
        ({"type": "string", "maxLength": 4}, False),
        ({"type": "integer"}, False),
        ({"enum": ["39.50"]}, True),
        ({"enum": [39.5, None]}, True),
        ({"enum": ["40"]}, False),
    ],
)
async def test_values_keep_the_bounds_of_the_schema(part: Any, fits: bool):
    """A value out of bounds is refused."""
    schema = properties(price=part)

    if fits:
        assert "price" in filled(schema, await page(LAMP))
    else:
        assert unread(schema, await page(LAMP)) == "price"


async def test_lists_keep_the_bounds_of_the_schema():
    """Long lists are cut at maxItems; lists below minItems are refused."""
    plans = {"type": "array", "items": TEXT}

    assert filled(properties(plans={**plans, "maxItems": 1}), await page(PLANS))["plans"] == [
        "Small"
    ]
    assert unread(properties(plans={**plans, "minItems": 3}), await page(PLANS)) == "plans"


async def test_names_are_not_guessed():
    """A name that only contains the requested words is another one."""
    plans = await page("<dl><dt>Price per month<dd>$9</dl>")

    assert filled(properties(price_per_month=NUMBER), plans) == {"price_per_month": 9}
    assert unread(properties(price=NUMBER), plans) == "price"


async def test_tables_are_not_guessed():
    """Of several tables with the requested columns, the list has to name one."""
    cities = "<h2>{}</h2><table><tr><th>City<th>Rooms<tr><td>{}<td>4</table>"
    both = await page(cities.format("Offices", "Porto") + cities.format("Shops", "Faro"))
    listed = {"type": "array", "items": properties(city=TEXT)}

    assert filled(properties(shops=listed), both) == {"shops": [{"city": "Faro"}]}
    assert unread(properties(places=listed), both) == "places"


@dataclasses.dataclass
class Office:
    """An office."""

    city: str
    rooms: int


@dataclasses.dataclass
class Company:
    """The SDK's schema for a dataclass."""

    title: str
    offices: list[Office]
    founded: int | None = None


async def test_schema_of_a_dataclass_is_filled():
    """The SDK's schema for a dataclass is filled unchanged."""
    assert fill(Schema(output_schema(Company)), PageFacts([await page(PLANS)])) == {
        "title": "Plans",
        "offices": [{"city": "Porto", "rooms": 4}],
        "founded": None,
    }
