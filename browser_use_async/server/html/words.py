"""Comparing names the way a person would: case, accents, separators and plurals do not matter."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from yarl import URL

from browser_use_async.server.html.page import Link

# "pricePerMonth", "HTMLPage", "price_per_month" and "Price per month" are the same words.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]|\d+|[^\W\d_]+")
_SHORTEST_PLURAL = 4
# Bounds the work for each line. Cut before it is normalised, because some characters stand for
# whole phrases.
_LONGEST_LINE = 10_000
# Words that do not tell one link from another.
_LITTLE = frozenset("a an and of on the this that to in for our your link page".split())


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
    return frozenset(word for line in text.splitlines() for word in words(line))


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


def choose_link(links: Sequence[Link], phrase: str) -> Link | None:
    """The link that a phrase names, or None when no link fits.

    A link with exactly those words is preferred, then one that has them all and the fewest
    others. Its text counts first, then its tooltip, then its address.
    """
    wanted = _telling_words(phrase)
    if not wanted:
        return None
    texts = [_telling_words(link.text) for link in links]
    hints = [_telling_words(link.hint) for link in links]
    names = [word_set(PurePosixPath(URL(link.url).path).stem) for link in links]
    paths = [word_set(URL(link.url).path) for link in links]
    for candidates in (texts, hints, names):
        if wanted in candidates:
            return links[candidates.index(wanted)]
    for candidates in (texts, hints, paths):
        fitting = [place for place, found in enumerate(candidates) if wanted <= found]
        if fitting:
            return links[min(fitting, key=lambda place: len(candidates[place]))]
    return None


def _telling_words(text: str) -> frozenset[str]:
    found = word_set(text)
    return found - _LITTLE or found
