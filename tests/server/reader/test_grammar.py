"""Sentences, phrases and names of pages: what the plans of the reader and the browser stand on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.server.executors.instructions.actions import OpenAddress, OpenFile
from browser_use_async.server.executors.instructions.grammar import (
    BLANK,
    Phrases,
    Sentence,
    cut,
    named_page,
)


def _one(text: str) -> Sentence:
    (sentence,) = cut(text)
    return sentence


@given(st.text("ab '\"“”„`\u2018\u2019.,\n\t-", max_size=60))
def test_tokens_stand_where_they_say(text: str):
    """Tokens come in order, each with its own characters."""
    reached = 0
    for sentence in cut(text):
        for token in sentence.tokens:
            assert reached <= token.start < token.end
            assert token.text in {BLANK, text[token.start : token.end].casefold()}
            reached = token.end


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Click “A b” there", ["click", BLANK, "there"]),
        ("'It is' it's", [BLANK, "it", "'", "s"]),
        ("at https://a.example/x, b", ["at", BLANK, ",", "b"]),
        ("my-page_2 „x“", ["my", "-", "page_2", BLANK]),
    ],
)
def test_what_is_a_token(text: str, words: list[str]):
    """Words in lower case and signs; quotations and addresses are one each."""
    assert list(_one(text).words) == words


def test_a_token_says_what_it_opens():
    """The address, also in quotation marks, or the file that came with the task."""
    (sentence,) = cut("read “https://a.example/x” beside “words” from list.csv", ["list.csv"])

    targets = [token.target for token in sentence.tokens if token.text == BLANK]
    assert targets == [OpenAddress("https://a.example/x"), None, OpenFile("list.csv")]


def test_the_longest_phrase_counts():
    """Of several phrases with the same first word, where another word is between there is none."""
    phrases = Phrases("go|go to|go to the|open")

    assert phrases.at(_one("Go to the page").tokens, 0) == 3
    assert phrases.at(_one("go to a page").tokens, 0) == 2
    assert phrases.at(_one("go, to the page").tokens, 0) == 1
    assert phrases.at(_one("we go").tokens, 0) == 0
    assert phrases.at(_one("open").tokens, 1) == 0


def test_a_text_is_cut_into_sentences():
    """At line breaks, ends of sentences, and where another instruction begins."""
    text = 'Open it. Click "A. B" and then tell me, list it\n2. save the a, b and c'

    assert [(each.text, each.follows_comma) for each in cut(text)] == [
        ("Open it", False),
        ('Click "A. B"', False),
        ("tell me", False),
        ("list it", True),
        ("save the a, b and c", False),
    ]


@pytest.mark.parametrize(
    ("clause", "named"),
    [
        ('the "Prices" link', ("Prices", True)),
        ("the prices page", ("prices", True)),
        ("the link (called Prices)", ("Prices", True)),
        ("the link that says the Prices", ("Prices", True)),
        ("the menu item of it", ("", True)),
        ("it", ("", False)),
        ("Our Prices", ("Our Prices", False)),
    ],
)
def test_a_clause_names_a_page(clause: str, named: tuple[str, bool]):
    """By words beside a kind of page, in quotation marks, or by what it says."""
    assert named_page(_one(clause)) == named
