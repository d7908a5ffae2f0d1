from browser_use_async.server.html.extraction import read_html
from browser_use_async.server.html.page import types_of

URL = "https://a.example/"


def script(text: str) -> str:
    """A JSON-LD script."""
    return f'<script type="application/ld+json">{text}</script>'


def test_json_ld_nodes_come_with_the_subject_first():
    """Graphs and lists are opened, and nodes about the site come behind the page's subject."""
    page = read_html(
        URL,
        script('{"@type": "WebSite", "name": "Site"}')
        + script(
            '[{"@graph": [{"@type": "Article", "name": "Story"}]}, {"@type": "Organization"}]'
        ),
    )

    assert [node["@type"] for node in page.data] == ["Article", "WebSite", "Organization"]


def test_broken_json_ld_is_skipped():
    """Nonsense in one script does not hide another; scripts of other types are not looked at."""
    page = read_html(
        URL,
        script("{broken")
        + script("[" * 10_000)
        + script("7")
        + script('{"a": "line\nbreak"}')
        + '<script type="application/json">{"b": 1}</script>',
    )

    assert page.data == [{"a": "line\nbreak"}]


def test_types_lose_their_vocabulary():
    """Types are compared by their last name; whatever is no node has none."""
    assert types_of({"@type": ["https://schema.org/Product", "Thing", 7]}) == ["Product", "Thing"]
    assert types_of({}) == []
    assert types_of("text") == []
