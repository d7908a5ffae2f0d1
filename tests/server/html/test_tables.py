import pytest

from browser_use_async.server.html.page import Row, Table
from tests.server.html.reading import read_html


def tables(html: str) -> list[Table]:
    """The tables of a page."""
    return list(read_html("https://a.example/", html).tables)


def test_header_rows_and_footers():
    """The first row of header cells names the columns; footers are no rows."""
    (table,) = tables(
        """<h2>Heading</h2><table><caption>Name</caption>
        <thead><tr><th>A<th>B</thead><tfoot><tr><td>Sum<td>3</tfoot>
        <tbody><tr><td><a href=/one>one</a><td>1<tr><td>two<td>2</table>"""
    )

    assert table.headers == ("A", "B")
    assert table.rows == [Row(("one", "1")), Row(("two", "2"))]
    assert table.name == "Name"


def test_heading_names_a_table_without_a_caption():
    """Without a caption the heading before names the table."""
    (table,) = tables("<h2>Heading</h2><table><tr><th>A<th>B<tr><td>1<td>2</table>")

    assert table.name == "Heading"


def test_an_empty_corner_is_a_head():
    """Header cells in front of rows, and an empty corner."""
    (table,) = tables("<table><tr><td><th>X<th>Y<tr><th>r1<td>1<td>2<tr><th>r2<td>3<td>4</table>")

    assert table.headers == ("", "X", "Y")


def test_merged_cells_are_repeated():
    """Cells that span rows and columns are in each of them."""
    (table,) = tables(
        """<table><tr><th>A<th>B<th>C<tr><td rowspan=2>x<td colspan=2>y<tr><td>1<td>2
        <tr><td colspan=3>only a heading between rows<tr><td colspan=nonsense>z<td>3<td>4</table>"""
    )

    assert [row.cells for row in table.rows] == [
        ("x", "y", "y"),
        ("x", "1", "2"),
        ("z", "3", "4"),
    ]


@pytest.mark.parametrize(
    "html",
    [
        "<table></table>",
        "<table><tr></table>",
        "<table><tr><td> </table>",
        "<table><tr><td colspan=9>only a heading</table>",
    ],
)
def test_tables_without_rows_are_left_out(html):
    """An empty table is none."""
    assert tables(html) == []


def test_table_that_arranges_the_page_is_no_table():
    """Only the inner one of nested tables counts, and nothing of the page is lost."""
    html = "<table><tr><td>menu<td><table><tr><th>A<th>B<tr><td>1<td>2</table></table>"
    page = read_html("https://a.example/", html)

    assert [table.headers for table in page.tables] == [("A", "B")]
    assert "menu" in page.text


def test_ragged_and_huge_spans_are_bounded():
    """Spans of a million neither hang nor fill the memory."""
    (table,) = tables(
        "<table><tr><th>A<th>B<tr><td colspan=1000000 rowspan=1000000>x<td>y<tr><td>z</table>"
    )

    assert max(len(row.cells) for row in table.rows) == 50
