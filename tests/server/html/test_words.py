import pytest

from browser_use_async.server.html.words import singular, word_set, words


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("price_per_month", "Price per month"),
        ("pricePerMonth", "Price per Month"),
        ("datePublished", "published_date"),
        ("HTMLPage", "html page"),
        ("Prices", "price"),
        ("Categories", "category"),
        ("boxes", "Box"),
        ("Café", "cafe"),
        ("item2Name", "Name (item 2)"),
        ("e-mail", "E Mail"),
    ],
)
def test_spellings_of_a_name_are_the_same_words(first, second):
    """Case, separators, accents, plurals and order make no difference between names."""
    assert word_set(first) == word_set(second)


def test_words_keep_their_order():
    """The words of a phrase come in the order of the phrase."""
    assert words("The_quick brownFox") == ("the", "quick", "brown", "fox")


@pytest.mark.parametrize("word", ["bus", "class", "status", "analysis", "gas", "is", "us"])
def test_words_that_end_like_a_plural_stay(word):
    """Not every s is a plural."""
    assert singular(word) == word


def test_other_scripts_have_words_too():
    """Names need not be Latin."""
    assert words("Цена за месяц") == ("цена", "за", "месяц")
