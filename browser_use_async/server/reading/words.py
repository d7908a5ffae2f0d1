"""Comparing names the way a person would: case, accents, separators and plurals do not matter."""

import re
import unicodedata
from functools import lru_cache

# "pricePerMonth", "HTMLPage", "price_per_month" and "Price per month" are the same words.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]|\d+|[^\W\d_]+")
_SHORTEST_PLURAL = 4


def words(text: str) -> tuple[str, ...]:
    """The words of a name or a phrase, in order, in the singular and without accents.

    Args:
        text: Words in any of the usual spellings: spaces, underscores, dashes or camel case.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(singular(word.casefold()) for word in _WORD.findall(plain))


@lru_cache(maxsize=4096)  # the columns of a table are asked for with every row
def word_set(text: str) -> frozenset[str]:
    """The words of a name or a phrase, whatever their order.

    Args:
        text: The name or phrase.
    """
    return frozenset(words(text))


def singular(word: str) -> str:
    """The singular of an English noun, as far as its ending tells.

    Args:
        word: One word in lower case.
    """
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > _SHORTEST_PLURAL:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]
