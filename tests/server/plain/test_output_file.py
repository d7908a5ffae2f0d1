import csv
import io

import pytest

from browser_use_async.server.executors.answers.composition import export
from browser_use_async.server.executors.instructions.plan import read_plan
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.html.page import Label, Page, Row, Table

FEES = Table(("Fee", "Amount"), [Row(("One, two", "1")), Row(("Three", "2"))], "Fees")
STAFF = Table(("Name", "Role", "Since"), [Row(("Ann", "Boss", "1999"))], "Staff")


def exported(wish: str, *pages: Page, answer: str = "answer", structured: bool = False) -> str:
    """The content of the requested file."""
    wanted = read_plan(f"Open https://a.example/ and {wish}").saving
    assert wanted is not None
    return export(wanted, pages, answer, structured=structured)[0].decode()


def test_table_is_chosen_by_the_words_of_the_request():
    """Words of the request or of the file's name choose the table, or the task is refused."""
    page = Page("https://a.example", tables=[FEES, STAFF])

    assert exported("save the staff as x.csv", page) == "Name,Role,Since\nAnn,Boss,1999\n"
    assert exported("save it as staff.csv", page).startswith("Name,")
    assert exported("save the amounts as x.csv", page).startswith('Fee,Amount\n"One, two",1\n')
    with pytest.raises(CannotContinueError, match="has 2 tables that may be meant: Fees, Staff"):
        exported("save it as x.csv", page)


def test_no_cell_is_a_formula():
    """Text of a page cannot become a formula in a spreadsheet."""
    cells = ('=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "@SUM(A1)", "\uff1d1", "-2+3", "\t=1")
    harmless = ("-5", "+2.3 %", "-1.234,5", "-", "a=b", "")
    page = Page(
        "https://a.example", tables=[Table(("=1+1", "Fee"), [Row(cells), Row(harmless)], "Fees")]
    )
    head, first, second = csv.reader(io.StringIO(exported("save it as x.csv", page), newline=""))

    assert head == ["'=1+1", "Fee"]
    assert first == [f"'{each}" for each in cells]
    assert second == list(harmless)


def test_tables_of_all_pages_are_looked_at():
    """The table may be on any of the pages."""
    pages = (Page("https://a.example"), Page("https://b.example", tables=[STAFF]))

    assert exported("save it as x.csv", *pages).startswith("Name,")


def test_a_definition_list_stands_in_for_a_table():
    """It becomes two columns; without one there is nothing to write."""
    labels = Page("https://a.example", labels=[Label("Size", "7")])

    assert exported("save it as x.csv", labels) == "name,value\nSize,7\n"
    with pytest.raises(CannotContinueError, match=r"x\.csv needs a table"):
        exported("save it as x.csv", Page("https://a.example"))


@pytest.mark.parametrize("name", ["x.txt", "x.md", "X.MD"])
def test_words_are_saved_unchanged(name):
    """Text and Markdown contain the answer."""
    assert exported(f"save it as {name}", Page("https://a.example"), answer="grün") == "grün\n"


def test_a_json_file_contains_an_answer_with_a_schema():
    """Without a schema the content of a JSON file is undefined."""
    page = Page("https://a.example", title="T")

    assert exported("save it as x.json", page, answer="[1]", structured=True) == "[1]\n"
    with pytest.raises(CannotContinueError, match=r"x\.json needs structured_output_json"):
        exported("save it as x.json", page)
