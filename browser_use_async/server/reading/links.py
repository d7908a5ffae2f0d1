"""Choosing the link that a person means."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from yarl import URL

from browser_use_async.server.reading.page import Link
from browser_use_async.server.reading.words import word_set

_LITTLE = frozenset("a an and of on the this that to in for our your link page".split())


def choose_link(links: Sequence[Link], phrase: str) -> Link | None:
    """The link that a phrase names, or None when no link fits.

    A link with exactly those words is preferred, then one that has them all and the fewest
    others. Its text counts first, then its tooltip, then its address.

    Args:
        links: The links of a page, in order.
        phrase: Words for one of them, in any case.
    """
    wanted = _words(phrase)
    if not wanted:
        return None
    texts = [_words(link.text) for link in links]
    hints = [_words(link.hint) for link in links]
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


def _words(text: str) -> frozenset[str]:
    found = word_set(text)
    return found - _LITTLE or found
