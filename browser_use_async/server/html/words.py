"""Comparison of names without regard to case, accents, separators and plurals."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from browser_use_async.server.html.page import Link
from browser_use_async.server.html.pauses import pause

# "pricePerMonth", "HTMLPage", "price_per_month" and "Price per month" are the same words.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]|\d+|[^\W\d_]+")
_SHORTEST_PLURAL = 4
# Bounds the work for each line. Cut before it is normalised, because some characters stand for
# whole phrases.
_LONGEST_LINE = 10_000


def words(text: str) -> tuple[str, ...]:
    """The words of a name or a phrase, in order, in the singular and without accents."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST_LINE])
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(singular(word.casefold()) for word in _WORD.findall(plain))


@lru_cache(maxsize=4096)  # the columns of a table are asked for with every row
def word_set(text: str) -> frozenset[str]:
    """The words of a name or a phrase, whatever their order."""
    return frozenset(words(text))


def words_of_lines(text: str) -> frozenset[str]:
    """The words of all lines of a text."""
    found = set[str]()
    for line in text.splitlines():
        pause()
        found.update(words(line))
    return frozenset(found)


def singular(word: str) -> str:
    """The singular of an English noun, by its ending."""
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > _SHORTEST_PLURAL:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]


def links_named(links: Sequence[Link], phrase: str) -> list[Link]:
    """The links that a phrase names, one for each address.

    Those with exactly these words come first, then those that have them in a row; the words of a
    link count before those of its tooltip.
    """
    wanted = words(phrase)
    if not wanted:
        return []
    texts = [words(link.text) for link in links]
    hints = [words(link.hint) for link in links]
    for fits in (tuple.__eq__, _has):
        for names in (texts, hints):
            named = [link for link, name in zip(links, names, strict=True) if fits(name, wanted)]
            if named:
                by_address: dict[str, Link] = {}
                for link in named:
                    by_address.setdefault(link.url, link)
                return [*by_address.values()]
    return []


def _has(name: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether words stand in a row within others."""
    # Blanks around them, so that no word is found within another one.
    return f" {' '.join(wanted)} " in f" {' '.join(name)} "
