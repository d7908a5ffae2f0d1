import pytest

from browser_use_async.server.html.document import (
    UnreadableDocumentError,
    read_document,
    type_of_file,
)
from browser_use_async.server.html.page import Row

URL = "https://a.example/d/list.csv?x=1"


async def test_html_may_come_without_a_type():
    """Without a type, markup is HTML and everything else is plain text."""
    html = await read_document(URL, "", b" <title>T</title>")
    text = await read_document(URL, "", b"T")

    assert html.title == "T"
    assert (text.title, text.text) == ("list.csv", "T")


async def test_header_charset_is_used():
    """The charset of the header decodes the page."""
    page = await read_document(URL, "text/html; charset=iso-8859-15", "<p>5 €".encode("latin9"))

    assert page.text == "5 €"


async def test_plain_text_keeps_its_lines():
    """Lines stay, spaces are made single."""
    page = await read_document(URL, "text/plain", b"\n one  two \n\n three\n")

    assert page.text == "one two\n\nthree"


async def test_csv_is_a_table():
    """CSV gives a table named after the file, quotes and semicolons and tabs included."""
    page = await read_document(URL, "text/csv", b'Name,Price\r\n"a, b",7\r\n\r\nc,8\r\n')
    tabs = await read_document(URL, "text/tab-separated-values", b"A\tB\n1\t2\n")
    empty = await read_document(URL, "text/csv", b"Name,Price\n")

    (table,) = page.tables
    assert table.headers == ("Name", "Price")
    assert table.rows == [Row(("a, b", "7")), Row(("c", "8"))]
    assert table.name == "list.csv"
    assert page.text.splitlines() == ["Name | Price", "a, b | 7", "c | 8"]
    assert tabs.tables[0].rows == [Row(("1", "2"))]
    assert empty.tables == []


@pytest.mark.long
async def test_long_csv_says_that_it_was_cut():
    """A very long table keeps its beginning and says so."""
    page = await read_document(URL, "text/csv", b"a,b\n" * 100_001)

    assert page.cut
    assert len(page.tables[0].rows) == 99_999


async def test_csv_of_many_characters_says_that_it_was_cut():
    """The rows of the first million are kept."""
    page = await read_document(URL, "text/csv", b"name,text\n" + b"a," + b"b" * 100_000)
    long = await read_document(URL, "text/csv", (b"a" * 100_000 + b"\n") * 12)

    assert not page.cut
    assert long.cut
    assert len(long.tables[0].rows) == 9


async def test_json_is_text_by_pointer_and_a_tree():
    """JSON can be read line by line, each value behind its pointer, and is a tree."""
    page = await read_document(
        URL, "application/ld+json", b'{"a/b": {"c": [1, "x"]}, "d": null, "e": {}, "f~g": true}'
    )
    scalar = await read_document(URL, "application/json", b"7")

    assert page.text.splitlines() == [
        "/a~1b/c/0: 1",
        "/a~1b/c/1: x",
        "/d: null",
        "/e: {}",
        "/f~0g: true",
    ]
    assert page.root is not None
    assert page.root.text == "a/b c 1 x d null e f~g true"
    assert scalar.text == "/: 7"


async def test_long_json_is_shortened_as_text_only():
    """The lines are bounded, the tree is complete."""
    page = await read_document(URL, "application/json", f"[{'1,' * 6000}1]".encode())

    assert page.text.endswith("[... and more]")
    assert page.root is not None
    assert len(page.root.text.split()) == 6001


@pytest.mark.parametrize("body", [b"[" + b"1," * 20_000 + b"1]", b"[" + b"[1]," * 15_000 + b"1]"])
async def test_json_with_many_values_says_that_it_was_cut(body):
    """A tree has 20,000 elements."""
    page = await read_document(URL, "application/json", body)

    assert page.root is not None
    assert page.root.is_cut


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("application/pdf", b"%PDF", "application/pdf"),
        ("image/png", b"\x89PNG", "image/png"),
        ("image/svg+xml", b"<svg><text>a</text></svg>", "it is image/svg.xml, and only text"),
        ("application/octet-stream", b"x", "octet-stream"),
        ("text/plain", b"a\x00b", "is not"),
        ("application/json", b"{", "said to be JSON"),
        ("application/json", b"[" + b"1," * 500_000 + b"1]", "JSON of more than 1,000,000 char"),
        ("text/csv", b'a,b\n"' + b"x" * 200_000, "said to be CSV"),
    ],
)
async def test_other_documents_are_refused(kind, body, reason):
    """A document that is no text, or not of its type, is refused with a reason."""
    with pytest.raises(UnreadableDocumentError, match=reason):
        await read_document(URL, kind, body)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html"),
        ("A.CSV", "text/csv"),
        ("a.json", "application/json"),
        ("a.pdf", "application/pdf"),
        ("a.md", "text/plain"),
        ("a", "text/plain"),
    ],
)
def test_files_have_types(name, kind):
    """The type of a file is known from its name."""
    assert type_of_file(name) == kind
