"""Pairs of pages: an answer of the first, and whether the second gives its own.

Many sites are like them. A value is right, needs the model, or is refused; it is never wrong.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from browser_use_async.server.executors.answers.by_name import ValueNotFoundError, learn, read
from browser_use_async.server.html.markup import read_tree
from browser_use_async.server.html.page_tree import PageNode

__all__ = ["CASES", "MODEL", "REFUSED", "RIGHT", "WRONG", "count", "outcome"]

RIGHT = "right"
MODEL = "needs the model"
REFUSED = "refused"
WRONG = "WRONG"


def page(html: str) -> PageNode:
    """The tree of a page."""
    return read_tree("https://site.example/", html)[0]


def count() -> Mapping[str, int]:
    """The number of pairs with each result."""
    return Counter(map(outcome, CASES))


def outcome(name: str) -> str:
    """The result of one pair."""
    first, answer, later, wanted = CASES[name]
    has_values = not isinstance(wanted, str)
    schema = json.dumps(_schema(answer, wanted) if has_values else _schema(answer))
    written, unplaced = learn(schema, answer, [page(first)])
    if unplaced:
        return MODEL
    try:
        found = read(schema, [page(later)], written)
    except ValueNotFoundError:
        return REFUSED
    return RIGHT if has_values and found == wanted else WRONG


def _schema(*values: Any) -> dict[str, Any]:
    """A schema that values follow."""
    known = [each for each in values if each is not None]
    first = known[0]
    if isinstance(first, dict):
        parts = {name: _schema(*(each[name] for each in known)) for name in first}
        return {"type": "object", "properties": parts, "required": [*first]}
    if isinstance(first, list):
        return {"type": "array", "items": _schema(*(row for each in known for row in each))}
    kind = {bool: "boolean", int: "integer", float: "number", str: "string"}[type(first)]
    kinds = {type(each) for each in known}
    kind = "number" if kinds == {int, float} else kind
    schema: dict[str, Any] = {"type": [kind, "null"] if None in values else kind}
    if kind == "string" and re.fullmatch(r"\d{4}-\d\d-\d\d", first):
        schema["format"] = "date"
    if kind == "string" and re.fullmatch("[a-z]+(_[a-z]+)+", first):
        schema["enum"] = sorted({"sold_out", "in_stock", *known})
    return schema


def terms(*pairs: tuple[str, str]) -> str:
    """A record as a definition list."""
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in pairs)
    return f"<h1>Record</h1><dl>{rows}</dl>"


def spans(*pairs: tuple[str, str]) -> str:
    """A record whose names and values are two texts in each of several rows."""
    rows = "".join(
        f"<div class=row><span class=k>{name}</span><span class=v>{value}</span></div>"
        for name, value in pairs
    )
    return f"<h1>Record</h1>{rows}"


def table(columns: str, *rows: str, heading: str = "Entries") -> str:
    """A list as a table; cells are separated by blanks."""
    head = "".join(f"<th>{each}</th>" for each in columns.split())
    body = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row.split())}</tr>" for row in rows
    )
    return f"<h2>{heading}</h2><table><tr>{head}</tr>{body}</table>"


def cards(*rows: tuple[str, str]) -> str:
    """A list as cards with classes."""
    each = "".join(
        f"<div class=card><h4 class=title>{name}</h4><span class=price>{price}</span></div>"
        for name, price in rows
    )
    return f"<h2>Offers</h2><div class=grid>{each}</div>"


def items(*names: str) -> str:
    """A list of words."""
    return f"<h2>Members</h2><ul>{''.join(f'<li>{name}</li>' for name in names)}</ul>"


CASES: dict[str, tuple[str, Any, str, Any]] = {
    # A page, the answer of the first run, a later page, and the result of a play
    "definition list": (
        terms(("City", "Bern"), ("Staff", "1,250")), {"city": "Bern", "staff": 1250},
        terms(("City", "Graz"), ("Staff", "980")), {"city": "Graz", "staff": 980},
    ),
    "rows of two cells, in another order": (
        "<table><tr><th>City<td>Bern<tr><th>Staff<td>12</table>", {"city": "Bern", "staff": 12},
        "<table><tr><th>Staff<td>13<tr><th>City<td>Graz</table>", {"city": "Graz", "staff": 13},
    ),
    "names and values in spans": (
        spans(("City", "Bern"), ("Staff", "12")), {"city": "Bern", "staff": 12},
        spans(("Staff", "13"), ("City", "Graz")), {"city": "Graz", "staff": 13},
    ),
    "names with colons": (
        "<p>City: Bern</p><p>Price: 12.50 EUR</p>", {"city": "Bern", "price": 12.5},
        "<p>Price: 9.90 EUR</p><p>City: Graz</p>", {"city": "Graz", "price": 9.9},
    ),
    "microdata": (
        "<h1 itemprop=name>Tea</h1><span itemprop=price>4.50</span>", {"name": "Tea", "price": 4.5},
        "<h1 itemprop=name>Oil</h1><p>Sale</p><span itemprop=price>5.50</span>",
        {"name": "Oil", "price": 5.5},
    ),
    "a class with the field's name": (
        "<h1>Tea</h1><span class=price>4.50</span>", {"price": 4.5},
        "<h1>Oil</h1><span class=price>5.50</span>", {"price": 5.5},
    ),
    "a group of fields": (
        terms(("City", "Bern"), ("Staff", "12")), {"company": {"city": "Bern", "staff": 12}},
        terms(("Staff", "13"), ("City", "Graz")), {"company": {"city": "Graz", "staff": 13}},
    ),
    "two fields with one value": (
        terms(("Adults", "2"), ("Children", "2")), {"adults": 2, "children": 2},
        terms(("Adults", "3"), ("Children", "1")), {"adults": 3, "children": 1},
    ),
    "one value at two names, neither the field's": (
        terms(("List price", "5.00"), ("You pay", "5.00")), {"price": 5.0},
        terms(("List price", "5.00"), ("You pay", "4.00")), REFUSED,
    ),
    "no group of thousands at first": (
        terms(("Staff", "340")), {"staff": 340}, terms(("Staff", "2,355")), {"staff": 2355},
    ),
    "a number that could be two": (
        terms(("Weight", "340")), {"weight": 340.0}, terms(("Weight", "1.250")), REFUSED,
    ),
    "a number with a comma": (
        terms(("Preis", "1.250,50 €")), {"preis": 1250.5},
        terms(("Preis", "3.000,00 €")), {"preis": 3000.0},
    ),
    "a number in words": (
        terms(("Revenue", "1.2 million")), {"revenue": 1200000},
        terms(("Revenue", "2.5 million")), MODEL,
    ),
    "a date": (
        terms(("Due", "14 Mar 2026")), {"due": "2026-03-14"},
        terms(("Due", "2 Apr 2026")), {"due": "2026-04-02"},
    ),
    "a date that could be two": (
        terms(("Due", "05/05/2026")), {"due": "2026-05-05"}, terms(("Due", "03/04/2026")), REFUSED,
    ),
    "a relative date": (
        terms(("Posted", "2 days ago")), {"posted": "2026-11-27"},
        terms(("Posted", "3 days ago")), MODEL,
    ),
    "a member of an enumeration": (
        terms(("State", "In stock")), {"state": "in_stock"},
        terms(("State", "Sold out")), {"state": "sold_out"},
    ),
    "yes or no": (terms(("Open", "Yes")), {"open": True}, terms(("Open", "No")), {"open": False}),
    "the address of a link": (
        "<h1>R</h1><a href='https://a.example/'>Site</a>", {"site": "https://a.example/"},
        "<h1>R</h1><a href='https://b.example/'>Site</a>", {"site": "https://b.example/"},
    ),
    "a table with a new column": (
        table("Name Price", "Tea 4.50", "Fig 5.00"),
        {"rows": [{"name": "Tea", "price": 4.5}, {"name": "Fig", "price": 5.0}]},
        table("Name New Price", "Oil x 7.00"), {"rows": [{"name": "Oil", "price": 7.0}]},
    ),
    "an answer that is a list": (
        table("Name Price", "Tea 4.50", "Fig 5.00"),
        [{"name": "Tea", "price": 4.5}, {"name": "Fig", "price": 5.0}],
        table("Price Name", "7.00 Oil"), [{"name": "Oil", "price": 7.0}],
    ),
    "cards": (
        cards(("Tea", "4.50 €"), ("Fig", "5.00 €")),
        {"rows": [{"title": "Tea", "price": 4.5}, {"title": "Fig", "price": 5.0}]},
        cards(("Oil", "7.00 €"), ("Nut", "1.00 €"), ("Rye", "2.00 €")),
        {"rows": [{"title": "Oil", "price": 7.0}, {"title": "Nut", "price": 1.0},
                  {"title": "Rye", "price": 2.0}]},
    ),
    "a list of words": (
        items("Ann", "Bob"), {"members": ["Ann", "Bob"]}, items("Cem"), {"members": ["Cem"]},
    ),
    "one row at first": (
        table("Name Price", "Tea 4.50"), {"rows": [{"name": "Tea", "price": 4.5}]},
        table("Name Price", "Oil 7.00", "Nut 1.00"),
        {"rows": [{"name": "Oil", "price": 7.0}, {"name": "Nut", "price": 1.0}]},
    ),
    "a row without a value": (
        table("Name Price", "Tea 4.50", "Fig -"),
        {"rows": [{"name": "Tea", "price": 4.5}, {"name": "Fig", "price": None}]},
        table("Name Price", "Oil -", "Nut 1.00"),
        {"rows": [{"name": "Oil", "price": None}, {"name": "Nut", "price": 1.0}]},
    ),
    "columns with one value by chance": (
        table("Name Adults Children", "Ann 2 2", "Bob 1 1"),
        {"rows": [{"name": "Ann", "adults": 2}, {"name": "Bob", "adults": 1}]},
        table("Name Adults Children", "Cem 2 3"), {"rows": [{"name": "Cem", "adults": 2}]},
    ),
    "some of the rows": (
        table("Number State", "1 open", "2 paid", "3 open"),
        {"rows": [{"number": "1", "state": "open"}, {"number": "3", "state": "open"}]},
        table("Number State", "4 paid", "5 open"), MODEL,
    ),
    "rows in another order": (
        table("Name Price", "Tea 9", "Fig 5"),
        {"rows": [{"name": "Fig", "price": 5}, {"name": "Tea", "price": 9}]},
        table("Name Price", "Oil 7", "Nut 1"), MODEL,
    ),
    "a second list under the heading": (
        table("Name Price", "Tea 4.50"), {"rows": [{"name": "Tea", "price": 4.5}]},
        table("Name Price", "Oil 7.00") + "<table><tr><th>Name<th>Price<tr><td>Nut<td>1</table>",
        REFUSED,
    ),
    "an empty list": (
        table("Name Price", "Tea 4.50"), {"rows": [{"name": "Tea", "price": 4.5}]},
        "<h2>Entries</h2><p>Nothing found.</p>", REFUSED,
    ),
    "columns that change their places": (
        table("Name Net Gross", "Tea 4 5", "Fig 6 7"),
        {"rows": [{"name": "Tea", "gross": 5}, {"name": "Fig", "gross": 7}]},
        table("Name Gross Net", "Oil 9 8"), {"rows": [{"name": "Oil", "gross": 9}]},
    ),
    "a column that is gone": (
        table("Name Gross", "Tea 5", "Fig 7"),
        {"rows": [{"name": "Tea", "gross": 5}, {"name": "Fig", "gross": 7}]},
        table("Name Net", "Oil 8"), REFUSED,
    ),
    "a sum": (
        table("Name Price", "Tea 4.50", "Fig 5.00"), {"sum": 9.5},
        table("Name Price", "Oil 7.00", "Nut 1.00"), MODEL,
    ),
    "a count": (items("Ann", "Bob"), {"count": 2}, items("Cem"), MODEL),
    "a number that stands elsewhere by chance": (
        f"<h2>3 rules</h2>{items('Ann', 'Bob', 'Cem')}", {"count": 3},
        f"<h2>3 rules</h2>{items('Cem')}", MODEL,
    ),
    "a word that stands elsewhere by chance": (
        "<h1>T</h1><p class=lang>English</p><p>Tea</p>", {"language": "English"},
        "<h1>T</h1><p class=lang>Deutsch</p><p>Tee</p>", MODEL,
    ),
    "in a sentence": (
        "<h1>T</h1><p>The head office is in Bern.</p>", {"city": "Bern"},
        "<h1>T</h1><p>The head office is in Graz.</p>", {"city": "Graz"},
    ),
    "in a sentence that says more": (
        "<h1>T</h1><p>The head office is in Bern.</p>", {"city": "Bern"},
        "<h1>T</h1><p>The head office is in a house that no map shows.</p>", REFUSED,
    ),
    "a judgement": (
        "<h1>T</h1><p>A long text about tea.</p>", {"summary": "About tea"},
        "<h1>T</h1><p>A long text about oil.</p>", MODEL,
    ),
    "a term that is gone": (
        terms(("City", "Bern"), ("Staff", "12")), {"city": "Bern"}, terms(("Staff", "13")), REFUSED,
    ),
    "the same words elsewhere": (
        terms(("City", "Bern")), {"city": "Bern"},
        "<h1>Record</h1><p>We were in Bern.</p>", REFUSED,
    ),
    "a rowspan-free table of specifications": (
        "<table><tr><th scope=row>Weight<td>340 g<tr><th scope=row>Colour<td>red</table>",
        {"weight": 340, "colour": "red"},
        "<table><tr><th scope=row>Colour<td>blue<tr><th scope=row>Weight<td>355 g</table>",
        {"weight": 355, "colour": "blue"},
    ),
    "rows that begin with their name": (
        ("<table><tr><th>Plan<th>Price<tr><th scope=row>Basic<td>5.50<tr><th scope=row>Team<td>9.50"
        "</table>"),
        {"plans": [{"plan": "Basic", "price": 5.5}, {"plan": "Team", "price": 9.5}]},
        "<table><tr><th>Plan<th>Price<tr><th scope=row>Large<td>12.50</table>",
        {"plans": [{"plan": "Large", "price": 12.5}]},
    ),
    "a column without a head": (
        "<table><tr><td><th>Seats<tr><th scope=row>Hall<td>34<tr><th scope=row>Attic<td>12</table>",
        {"rooms": [{"name": "Hall", "seats": 34}, {"name": "Attic", "seats": 12}]},
        "<table><tr><td><th>Seats<tr><th scope=row>Cellar<td>40</table>",
        {"rooms": [{"name": "Cellar", "seats": 40}]},
    ),
    "a test id": (
        "<h1>Tea</h1><b data-testid=stock-count>17</b>", {"stock_count": 17},
        "<h1>Oil</h1><i>New</i><b data-testid=stock-count>5</b>", {"stock_count": 5},
    ),
    "an id": (
        "<h1>Order</h1><span id=total>12.50 EUR</span>", {"total": 12.5},
        "<h1>Order</h1><p>Thanks</p><span id=total>7.00 EUR</span>", {"total": 7.0},
    ),
    "a name in another case": (
        terms(("HEAD OFFICE", "Bern")), {"headOffice": "Bern"},
        terms(("Head office", "Graz")), {"headOffice": "Graz"},
    ),
    "a name in the plural": (
        terms(("Employees", "12")), {"employee": 12}, terms(("Employees", "15")), {"employee": 15},
    ),
    "the heading": (
        "<h1>Blue Mill</h1><p>A mill.</p>", {"heading": "Blue Mill"},
        "<h1>Old Mill</h1><p>Older.</p>", {"heading": "Old Mill"},
    ),
    "the title": (
        "<title>Blue Mill</title><h1>About</h1>", {"title": "Blue Mill"},
        "<title>Old Mill</title><h1>About</h1>", {"title": "Old Mill"},
    ),
    "a field that may be missing": (
        terms(("City", "Bern"), ("Fax", "123")), {"city": "Bern", "fax": "123"},
        terms(("City", "Graz")), {"city": "Graz", "fax": None},
    ),
    "a number with spaces": (
        terms(("Population", "134 591")), {"population": 134591},
        terms(("Population", "1 250 300")), {"population": 1250300},
    ),
    "a number with apostrophes": (
        terms(("Population", "134'591")), {"population": 134591},
        terms(("Population", "1'250'300")), {"population": 1250300},
    ),
    "a negative number": (
        terms(("Balance", "-12.50")), {"balance": -12.5},
        terms(("Balance", "-3.25")), {"balance": -3.25},
    ),
    "a percentage": (terms(("Share", "12.5 %")), {"share": 12.5}, terms(("Share", "7.25 %")),
                     {"share": 7.25}),
    "a range at last": (
        terms(("Price", "12.50")), {"price": 12.5}, terms(("Price", "10.50 - 12.50")), REFUSED,
    ),
    "a rating of five": (
        terms(("Rating", "4.5 of 5")), {"rating": 4.5}, terms(("Rating", "3.5 of 5")), MODEL,
    ),
    "a number in thousands": (
        terms(("Followers", "1.2K")), {"followers": 1200}, terms(("Followers", "3.4K")), MODEL,
    ),
    "a date in American order": (
        terms(("Due", "12/31/2026")), {"due": "2026-12-31"},
        terms(("Due", "11/30/2026")), {"due": "2026-11-30"},
    ),
    "a date with dots": (
        terms(("Due", "31.12.2026")), {"due": "2026-12-31"},
        terms(("Due", "01.02.2027")), {"due": "2027-02-01"},
    ),
    "a date that is gone": (
        terms(("Due", "31.12.2026")), {"due": "2026-12-31"}, terms(("Due", "soon")), REFUSED,
    ),
    "an unknown member of an enumeration": (
        terms(("State", "In stock")), {"state": "in_stock"}, terms(("State", "On order")), REFUSED,
    ),
    "a tick for yes": (terms(("Open", "✓")), {"open": True}, terms(("Open", "✗")), {"open": False}),
    "two prices of one name": (
        terms(("Price", "5.00")), {"price": 5.0},
        terms(("Price", "5.00"), ("Price", "4.00")), REFUSED,
    ),
    "the same value twice": (
        terms(("Price", "5.50")), {"price": 5.5},
        terms(("Price", "4.50")) + "<p>Price: 4.50</p>", {"price": 4.5},
    ),
    "an advertisement with a price": (
        "<h1>Tea</h1><p class=price>4.50</p>", {"price": 4.5},
        "<h1>Oil</h1><p class=price>5.50</p><aside><p class=price>9.90</p></aside>", REFUSED,
    ),
    "a list of links": (
        "<h2>Reports</h2><ul><li><a href=/a.pdf>2025</a><li><a href=/b.pdf>2026</a></ul>",
        {"reports": ["2025", "2026"]},
        "<h2>Reports</h2><ul><li><a href=/c.pdf>2027</a></ul>", {"reports": ["2027"]},
    ),
    "two lists with their own headings": (
        items("Ann", "Bob") + "<h2>Guests</h2><ul><li>Cem</ul>", {"guests": ["Cem"]},
        "<h2>Guests</h2><ul><li>Dan<li>Eve</ul>" + items("Ann"), {"guests": ["Dan", "Eve"]},
    ),
    "a list in a navigation": (
        "<nav><ul><li>Home<li>Help</ul></nav>" + items("Ann"), {"members": ["Ann"]},
        "<nav><ul><li>Home</ul></nav>" + items("Bob", "Cem"), {"members": ["Bob", "Cem"]},
    ),
    "a table beside another": (
        table("Name Price", "Tea 4.50") + table("Name Age", "Ann 40", heading="Staff"),
        {"rows": [{"name": "Tea", "price": 4.5}]},
        table("Name Age", "Bob 50", heading="Staff") + table("Name Price", "Oil 7.00"),
        {"rows": [{"name": "Oil", "price": 7.0}]},
    ),
    "cards with articles": (
        ("<article><h3 class=name>Tea</h3><p class=price>4.50</p></article>"
        "<article><h3 class=name>Fig</h3><p class=price>5.50</p></article>"),
        {"offers": [{"name": "Tea", "price": 4.5}, {"name": "Fig", "price": 5.5}]},
        "<article><h3 class=name>Oil</h3><p class=price>7.50</p></article>",
        {"offers": [{"name": "Oil", "price": 7.5}]},
    ),
    "cards with short classes": (
        "<p class=c><b class=n>Tea</b><i class=p>4.50</i><p class=c><b class=n>Fig</b><i>5.50</i>",
        {"offers": [{"name": "Tea", "price": 4.5}, {"name": "Fig", "price": 5.5}]},
        "<div class=c><b class=n>Oil</b><i class=p>7.50</i></div>",
        {"offers": [{"name": "Oil", "price": 7.5}]},
    ),
    "items with names before their values": (
        "<h2>Flats</h2><ul><li>Rooms: 3<li>Rooms: 4</ul>", {"flats": [{"rooms": 3}, {"rooms": 4}]},
        "<h2>Flats</h2><ul><li>Rooms: 5</ul>", {"flats": [{"rooms": 5}]},
    ),
    "a title of a product in a sentence": (
        "<h1>Tea</h1><p>Sold by Mill Ltd since 1999.</p>", {"seller": "Mill Ltd"},
        "<h1>Oil</h1><p>Sold by Barn Ltd since 2001.</p>", {"seller": "Barn Ltd"},
    ),
    "the largest of several": (
        terms(("Monday", "5"), ("Tuesday", "9")), {"largest": 9},
        terms(("Monday", "8"), ("Tuesday", "2")), MODEL,
    ),
    "the text of a link": (
        "<h1>R</h1><p>Website: <a href='https://a.example/'>a.example</a></p>",
        {"website": "a.example"},
        "<h1>R</h1><p>Website: <a href='https://b.example/'>b.example</a></p>",
        {"website": "b.example"},
    ),
    "a message instead of the page": (
        terms(("City", "Bern")), {"city": "Bern"}, "<h1>Please confirm that you are human</h1>",
        REFUSED,
    ),
    "another record under the same names": (
        "<h1>Blue Mill</h1>" + terms(("Owner", "Ann"), ("City", "Bern")), {"owner": "Ann"},
        "<h1>Old Mill</h1>" + terms(("Owner", "Bob"), ("City", "Graz")), {"owner": "Bob"},
    ),
    "groups with the same names": (
        "<h2>From</h2>" + terms(("City", "Bern")) + "<h2>To</h2>" + terms(("City", "Graz")),
        {"from": {"city": "Bern"}, "to": {"city": "Graz"}},
        "<h2>From</h2>" + terms(("City", "Ulm")) + "<h2>To</h2>" + terms(("City", "Linz")), MODEL,
    ),
    "a value in a field": (
        "<h1>Profile</h1><p class=email>a@a.example</p>", {"email": "a@a.example"},
        "<h1>Profile</h1><p class=email>b@b.example</p>", {"email": "b@b.example"},
    ),
}  # fmt: skip
