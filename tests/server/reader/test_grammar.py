"""Tokens, phrases, sentences and clauses: what the plans of the reader and the browser stand on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.server.executors.instructions.grammar import (
    BLANK,
    Phrases,
    clause_end,
    named_page,
    sentences,
    tokenize,
)


@given(st.text("ab '\"“”„`\u2018\u2019.,\n\t\0-", max_size=60), st.booleans())
def test_tokens_stand_where_they_say(text: str, quotes: bool):
    """Tokens come in order, and between them there are blanks only."""
    reached = 0
    for token in tokenize(text, quotes=quotes):
        assert not text[reached : token.start].strip()
        assert token.start < token.end
        reached = token.end
    assert not text[reached:].strip()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Click “A b”, then", ["click", '"', ",", "then"]),
        ("'It is' it's", ['"', "it", "'", "s"]),
        (f"at {BLANK * 9}.\n \n go", ["at", BLANK, ".", "\n", "go"]),
        ("my-page_2 „x“", ["my", "-", "page_2", '"']),
    ],
)
def test_what_is_a_token(text: str, tokens: list[str]):
    """Words in lower case, signs, line breaks; quotations and what is blanked out are one each."""
    assert [token.text for token in tokenize(text)] == tokens


def test_the_words_of_a_quotation_may_be_looked_at():
    """Then its marks are signs, and the quotation is none."""
    tokens = tokenize("as “my list.csv”", quotes=False)

    assert [token.text for token in tokens] == ["as", '"', "my", "list", ".", "csv", "”"]
    assert not any(token.quoted for token in tokens)


def test_the_longest_phrase_counts():
    """Of several phrases with the same first word, where another word is between there is none."""
    phrases = Phrases("go|go to|go to the|open")

    assert phrases.at(tokenize("Go to the page"), 0) == 3
    assert phrases.at(tokenize("go to a page"), 0) == 2
    assert phrases.at(tokenize("go, to the page"), 0) == 1
    assert phrases.at(tokenize("we go"), 0) == 0
    assert phrases.at(tokenize("open"), 1) == 0


def test_a_text_is_cut_into_sentences():
    """At line breaks, ends of sentences, and where another instruction begins."""
    text = 'Open it. Click "A. B" and then tell me, list it\nsave the a, b and c'
    cut = [(text[start:end], comma) for start, end, comma in sentences(text)]

    assert cut == [
        ("Open it.", False),
        ('Click "A. B"', False),
        ("tell me", False),
        ("list it", True),
        ("save the a, b and c", False),
    ]
    assert [text[a:b] for a, b, _ in sentences(text, Phrases("c"))][-1] == "c"


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("the prices and tell me", "the prices"),
        ("Terms and Conditions", "Terms and Conditions"),
        ("the team page to read it", "the team page"),
        ("the list in order to know", "the list"),
        ("“a and click b” then c", "“a and click b”"),
        (f"prices at {BLANK * 4}", "prices"),
        ("v1.2. Go", "v1.2"),
        ("Prices in the menu", "Prices"),
        ("x - y", "x"),
    ],
)
def test_a_clause_ends_before_the_next_instruction(text: str, clause: str):
    """What a verb is about goes as far as the next instruction or place."""
    tokens = tokenize(text)
    end = clause_end(tokens, 0)

    assert text[tokens[0].start : tokens[end - 1].end] == clause


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
    assert named_page(clause) == named
