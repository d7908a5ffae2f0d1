import pytest

from browser_use_async.server.html.page import Link
from browser_use_async.server.html.words import links_named

LINKS = [
    Link("Home", "https://a.example/"),
    Link("Read our pricing philosophy", "https://a.example/blog/philosophy"),
    Link("Plans", "https://a.example/pricing.html"),
    Link("Terms and Conditions", "https://a.example/legal"),
    Link("Our team", "https://a.example/about/people"),
    Link("", "https://a.example/basket", "Shopping basket"),
    Link("Team", "https://b.example/other"),
    Link("Price list (CSV)", "https://a.example/list.csv"),
]


@pytest.mark.parametrize(
    ("phrase", "places"),
    [
        ("home", [0]),
        ("HOME", [0]),
        ("plan", [2]),
        ("pricing philosophy", [1]),
        ("terms and conditions", [3]),
        ("our team", [4]),
        ("team", [6]),
        ("basket", [5]),
        ("price list", [7]),
        ("conditions and terms", []),
        ("basket shop", []),
        ("people", []),
        ("careers", []),
        ("home insurance", []),
        ("pri", []),
        ("", []),
        ("?!", []),
    ],
)
def test_links_are_found_by_their_words(phrase, places):
    """An exact match comes before these words in a row, texts before tooltips, without a guess."""
    assert links_named(LINKS, phrase) == [LINKS[place] for place in places]


def test_links_to_one_address_are_one():
    """Several links to different addresses are all returned, in the order of the page."""
    more = [Link("More", f"https://a.example/{place}") for place in (1, 2, 1)]

    assert links_named(more, "more") == more[:2]
