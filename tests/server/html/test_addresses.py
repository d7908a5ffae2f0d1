import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from browser_use_async.server.egress.web_addresses import absolute, find_addresses

FOUND = {
    "Open https://a.example and tell me its title": ["https://a.example"],
    "Open https://a.example.": ["https://a.example"],
    "Open https://a.example/x, then (see https://b.example/y).": [
        "https://a.example/x",
        "https://b.example/y",
    ],
    "Is it https://a.example/x?": ["https://a.example/x"],
    "https://a.example/x_(y) is odd": ["https://a.example/x_(y)"],
    "“https://a.example/x” and 'https://b.example'": ["https://a.example/x", "https://b.example"],
    "<https://a.example/x>": ["https://a.example/x"],
    "[words](https://a.example/x)": ["https://a.example/x"],
    "https://a.example,https://b.example": ["https://a.example", "https://b.example"],
    "https://a.example/?q=1,2&u=https://b.example/y": [
        "https://a.example/?q=1,2&u=https://b.example/y"
    ],
    "HTTP://A.EXAMPLE/X": ["HTTP://A.EXAMPLE/X"],
    "http://[::1]:8080/x": ["http://[::1]:8080/x"],
    "see a.example/x.": ["https://a.example/x"],
    "see a.example/x?y=1#z": ["https://a.example/x?y=1#z"],
    "localhost:8000/x or 127.0.0.1:8000": ["http://localhost:8000/x", "http://127.0.0.1:8000"],
    "10.0.0.7:80": ["https://10.0.0.7:80"],
    "Open a.example": ["https://a.example"],
    "Go to the website a.example, please": ["https://a.example"],
    "the prices of www.a.example": ["https://www.a.example"],
    "open münchen.example/straße": ["https://münchen.example/straße"],
}
NOT_FOUND = [
    "",
    "e.g. this, i.e. that, etc.",
    "Node.js and and/or yes/no",
    "version 1.2.3 rates 3.5/5",
    "save it as prices.csv",
    "open README.md",
    "write to me@a.example or me@a.example/x",
    "a.example was mentioned",
    "/local/path/x.y",
    "C:\\a.example\\x",
    "http:// and https://",
    "end.Start of the next",
]


@pytest.mark.parametrize(("text", "urls"), FOUND.items(), ids=list(FOUND))
def test_addresses_are_found_without_their_surroundings(text, urls):
    """Addresses come in order, without the punctuation of the sentence, with a scheme."""
    assert [mention.url for mention in find_addresses(text)] == urls


@pytest.mark.parametrize("text", NOT_FOUND)
def test_other_words_are_no_addresses(text):
    """Abbreviations, file names, numbers and mail addresses are ignored."""
    assert find_addresses(text) == []


def test_mention_has_its_place():
    """Start and end are exactly those of the address in the text."""
    text = "See (shop.example/x)!"
    (mention,) = find_addresses(text)

    assert text[mention.start : mention.end] == "shop.example/x"


@pytest.mark.long
@settings(max_examples=200)
@given(
    st.from_regex(
        r"https?://[a-z]{1,9}\.example(/[a-z0-9_~-]{1,9}){0,3}(\?[a-z]=[0-9])?", fullmatch=True
    ),
    st.sampled_from(["", " ", "(", "“", "Open ", "\n"]),
    st.sampled_from(["", ".", ", then", ")", "”", "!?", "\n", " x"]),
)
def test_any_address_is_found_in_any_sentence(url, before, behind):
    """Whatever surrounds an address, exactly the address is found."""
    assert [mention.url for mention in find_addresses(before + url + behind)] == [url]


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_any_text_is_searched(text):
    """No text breaks the search, and each result is a part of the text."""
    for mention in find_addresses(text):
        assert mention.url.endswith(text[mention.start : mention.end])


@pytest.mark.timeout(15)  # linear takes milliseconds, quadratic minutes
@pytest.mark.parametrize(
    ("piece", "found"),
    [("a.", 0), ("http://", 1), ("https://a.b/(", 1), ("https://x)", 1), ("1.", 0), ("x@", 0)],
)
def test_long_texts_are_searched_quickly(piece, found):
    """A hostile task of a hundred thousand characters contains one long address, or none."""
    mentions = find_addresses(piece * (100_000 // len(piece)))

    assert len(mentions) == found
    assert all(mention.end - mention.start > 99_900 for mention in mentions)


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("x", "https://a.example/d/x"),
        ("/x?y=1", "https://a.example/x?y=1"),
        ("../x", "https://a.example/x"),
        ("//b.example/x", "https://b.example/x"),
        (" https://b.example/x ", "https://b.example/x"),
        ("", "https://a.example/d/p"),
        ("mailto:me@a.example", ""),
        ("javascript:void(0)", ""),
        ("http://[broken/", ""),
    ],
)
def test_links_are_made_absolute(link, url):
    """Relative links are resolved; one that cannot be opened is left out."""
    assert absolute(URL("https://a.example/d/p"), link) == url
