"""Answers: the places of the values of a first run, and the values of later pages."""

from typing import Any

import pytest

from browser_use_async.server.executors.scripts.answers import ValueNotFoundError, learn, read
from tests.server.scripts.trees import page

MODEL = "needs the model"
REFUSED = "refused"


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
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_later_page_gives_its_own_values(name: str) -> None:
    """A value is found at its present place, is refused, or needs the model; never repeated."""
    first, answer, later, said = CASES[name]
    learnt = learn(answer, {"end": [page(first)]})
    if said == MODEL:
        assert learnt.unplaced
        return
    assert not learnt.unplaced
    assert read(learnt.rules, {"end": [page(first)]}) == answer
    if said == REFUSED:
        with pytest.raises(ValueNotFoundError):
            read(learnt.rules, {"end": [page(later)]})
    else:
        assert read(learnt.rules, {"end": [page(later)]}) == said
