import pytest

from browser_use_async.server.html.page import Link
from browser_use_async.server.html.words import choose_link

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
    ("phrase", "place"),
    [
        ("home", 0),
        ("HOME page", 0),
        ("plan", 2),
        ("pricing", 2),
        ("pricing philosophy", 1),
        ("terms conditions", 3),
        ("the Terms and Conditions link", 3),
        ("team", 4),
        ("shopping basket", 5),
        ("basket", 5),
        ("price list", 7),
        ("people", 4),
        ("philosophy blog", 1),
    ],
)
def test_link_is_chosen_by_its_words(phrase: str, place: int):
    """Equal words win over words among others, texts over tooltips over addresses."""
    assert choose_link(LINKS, phrase) == LINKS[place]


@pytest.mark.parametrize("phrase", ["careers", "home insurance", "pricing plans 2020", "", "?!"])
def test_no_link_is_guessed(phrase: str):
    """A phrase with a word that no link has names none."""
    assert choose_link(LINKS, phrase) is None


def test_first_of_equals_is_chosen():
    """Links with the same words are taken in the order of the page."""
    twins = [Link("More", "https://a.example/1"), Link("More", "https://a.example/2")]

    assert choose_link(twins, "more") == twins[0]
