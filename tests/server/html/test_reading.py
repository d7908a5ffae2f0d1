import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_use_async.server.html.document import UnreadableDocumentError, read_document
from browser_use_async.server.html.markup import read_tree
from browser_use_async.server.html.page import Heading, Label, Link
from browser_use_async.server.html.page_tree import MOST_DEPTH
from tests.server.html.reading import read_html

URL = "https://a.example/dir/page"


def test_title_comes_from_the_best_place_there_is():
    """The title element has priority, then the first heading."""
    shown = "<h2>Second</h2><h1>First  <b>heading</b></h1>"

    assert read_html(URL, f"<title> A\n B </title>{shown}").title == "A B"
    assert read_html(URL, f"<title></title>{shown}").title == "Second"
    assert read_html(URL, "words").title == ""


def test_title_of_a_picture_is_not_the_title():
    """The title element of an inline picture is not the title of a page that has one."""
    page = read_html(URL, "<title>Page</title><svg><title>Picture</title></svg>")

    assert page.title == "Page"


def test_no_heading_is_in_another_one():
    """One that was not ended ends where the next one begins."""
    page = read_html(URL, "<h1>First<div>more<h2>Second</h2>text")

    assert page.headings == [Heading(1, "First more"), Heading(2, "Second")]


def test_readable_text_keeps_headings_and_drops_noise():
    """Text is a line per block with single spaces, without scripts, navigation and controls."""
    page = read_html(
        URL,
        """<html><head><title>T</title><style>p {}</style></head><body>
        <header><nav><a href=/>Home</a></nav></header>
        <h1>Main   title</h1><p>First <b>bold</b>
        line<br>second line<script>var x = "<p>no</p>";</script></p>
        <ul><li>one<li><p>two</p><ul><li>inner</ul></ul>
        <table><tr><th>A<th>B<tr><td>1<td>2</table>
        <p hidden>no</p><p aria-hidden=true>no</p><p style="display : none">no</p>
        <noscript>no</noscript><template>no</template><svg><text>no</text></svg>
        <button>no</button><select><option>no</select><textarea>no</textarea>
        <h2>Below</h2>tail &amp; end<aside>no</aside><footer>no</footer></body></html>""",
    )

    assert page.text.splitlines() == [
        "# Main title",
        "First bold line",
        "second line",
        "- one",
        "- two",
        "- inner",
        "A | B",
        "1 | 2",
        "",
        "## Below",
        "tail & end",
    ]


@pytest.mark.parametrize(
    "inner", ["<main>{}</main>", "<div role=main>{}</div>", "<article>{}</article>"]
)
def test_only_the_main_part_is_read(inner):
    """Where a page marks its main part, or has one article, the rest is left out."""
    page = read_html(URL, f"<p>around</p>{inner.format('<p>inside</p>')}<p>around</p>")

    assert page.text == "inside"


def test_several_articles_are_all_read():
    """A page with two articles is read whole, and so is one with an empty main part."""
    both = read_html(URL, "<article>one</article><article>two</article>")
    empty = read_html(URL, "<main> </main><p>all</p>")

    assert both.text.splitlines() == ["one", "two"]
    assert empty.text == "all"


def test_entities_are_characters():
    """Named, decimal, hexadecimal and broken entities."""
    page = read_html(URL, "<title>&eacute;&#8364;&#x20AC;&amp;amp; &bogus; &lt</title>")

    assert page.title == "é€€&amp; &bogus; <"


def test_links_are_absolute_and_can_be_opened():
    """Links keep their words, or those of their picture, and follow the base element."""
    page = read_html(
        URL,
        """<nav><a href="x">First  <b>link</b></a></nav><a href="/y"><img alt="A picture"></a>
        <a href="mailto:a@b">no</a><a name=z>no</a><a href="javascript:x()">no</a>
        <a href="#top" title="Up again">Top</a><a hidden href=h>no</a>""",
    )
    based = read_html(URL, "<base href='//b.example/c/'><a href=d>D</a>")

    assert page.links == [
        Link("First link", "https://a.example/dir/x"),
        Link("A picture", "https://a.example/y"),
        Link("Top", "https://a.example/dir/page#top", "Up again"),
    ]
    assert based.links == [Link("D", "https://b.example/c/d")]


def test_headings_and_terms_are_found():
    """Headings with their level, and the terms of definition lists with the heading before."""
    page = read_html(
        URL,
        """<h1>One</h1><h3>Parts</h3><ol><li>a: no term</li></ol>
        <h2>Facts</h2><dl><dt>Size:<dd>7<dt>Colours<dd>red<dd>blue<dt>Empty<dd></dl>
        <p><b>Weight:</b> 3 kg</p><p>No label here. Time is 12:30.</p>""",
    )

    assert page.headings == [Heading(1, "One"), Heading(3, "Parts"), Heading(2, "Facts")]
    assert page.labels == [
        Label("Size", "7", "Facts"),
        Label("Colours", "red", "Facts"),
        Label("Colours", "blue", "Facts"),
    ]


def test_the_description_is_found():
    """In the meta element of that name, else in that of Open Graph."""
    named = "<meta name=Description content=' In a  sentence '><meta charset=utf-8>"
    og = "<meta property=og:description content=other><meta name=empty content=''>"

    assert read_html(URL, og + named).description == "In a sentence"
    assert read_html(URL, og).description == "other"


@pytest.mark.parametrize(
    "broken",
    [
        "<p>one<p>two",
        "<div><p>one</div><p>two",
        "</b><p>one</i></p></div><p>two</p>",
        "<P>one</P><p class=a class=b id='x>two",
        "<p>one<p>two<!-- never closed",
        "<p>one<p>two<script>never closed",
        "<p>one<p>two<a href='never closed",
        "<![odd[ thing ]]><p>one<![endif]><p>two",
        "<p>one<table><tr><td></p></div></b></table><p>two",
        "\0<p>one\0<p>two",
    ],
)
def test_broken_html_is_read_as_far_as_it_goes(broken):
    """Unclosed, misnested and unfinished elements do not hide readable text."""
    page = read_html(URL, broken)

    assert "one" in page.text
    assert ("two" in page.text) is ("id='x>" not in broken)


@pytest.mark.long
@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            "<p> </p> <div> </div> <table> <tr> <td> <th> </table> <ul> <li> </ul> <dl> <dt> <dd>"
            " <h1> </h1> <a href='x'> </a> <main> </main> <article> <title> </title> <script>"
            " </script> <b> <br> <!-- --> <![x[ & &amp; < > \" ' word 7".split()
        ),
        max_size=60,
    )
)
def test_any_markup_makes_a_page(pieces):
    """Any sequence of elements gives a page."""
    page = read_html(URL, " ".join(pieces))

    assert page.url == URL
    assert not page.cut


@pytest.mark.long
@settings(max_examples=300)
@given(st.text(max_size=300))
def test_any_text_makes_a_page(text):
    """Any characters give a page."""
    assert read_html(URL, text).url == URL


HOSTILE = [
    "<a ",
    "<",
    "<!--",
    "<h1>",
    "<div>",
    "<p><div>",
    "<ul><li>x",
    "<dl><dt>a<dd>b",
    "<table><tr><td>",
]


async def _read_or_refused(url: str, body: bytes) -> str:
    try:
        return (await read_document(url, "text/html", body)).url
    except UnreadableDocumentError as error:
        return str(error)


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.torture
async def test_hostile_page_does_not_block_the_loop(piece):
    """While much malformed markup is parsed, other tasks run in between."""
    body = piece.encode() * (400_000 // len(piece))
    turns = 0
    # Of its own: an address that took too long is not read again for a minute.
    url = f"https://hostile.example/{piece.encode().hex()}"
    reading = asyncio.create_task(_read_or_refused(url, body))
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 1  # one alone, if it is parsed in this thread
    assert (await reading) in {url, "reading it takes too long"}


@pytest.mark.long
def test_very_long_page_says_that_it_was_cut():
    """A page of more than twenty thousand elements keeps its beginning."""
    page = read_html(URL, "<p>first</p>" + "<b>x</b>" * 30_000)

    assert page.cut
    assert page.text.startswith("first")


def test_slash_at_the_end_of_a_tag_means_nothing():
    """Only void elements are empty, whatever a page closes itself."""
    page = read_html(URL, "<h1/>Title</h1><p>a<br/>b<img/>c</p>")

    assert page.text.splitlines() == ["# Title", "a", "b c"]


def test_endless_tag_is_skipped():
    """A tag of hundreds of kilobytes is left out, and the page continues behind it."""
    page = read_html(URL, f"<p>one</p><a href='{'x' * 700_000}'>link</a><p>two</p>")

    assert page.text.splitlines() == ["one", "link", "two"]


def test_deeply_nested_page_is_read():
    """Very deep nesting is flattened."""
    html = "<div>" * 3000 + "deep" + "</div>" * 3000
    tree, _ = read_tree(URL, html)

    assert read_html(URL, html).text == "deep"
    assert len([*tree.texts()[0].ancestors()]) < MOST_DEPTH


_STORY = "".join(
    f"<p>Paragraph {number} of the story tells how the lamp on the quay was lit each evening by the"
    f" keeper, who counted the boats that came home, and wrote their number into a book.</p>"
    for number in range(6)
)


def test_a_part_with_less_than_half_of_a_page_is_not_its_main_part():
    """A list of goods behind a story is read as well, since no mark separates them."""
    goods = "".join(
        f"<div class=item>Lamp number {number} costs {number} euros</div>" for number in range(99)
    )
    page = read_html(URL, f"<div class=story>{_STORY}</div><div class=goods>{goods}</div>")

    assert "Lamp number 98 costs 98 euros" in page.text
    assert "Paragraph 5" in page.text


def test_noscript_elements_are_not_read():
    """Its elements do not hide the rest of the page when they are not closed."""
    page = read_html(URL, "<noscript><div><p>no</noscript><p>one</p><noscript><a href=x>two</a>")

    assert page.text == "one"
    assert page.links == []
