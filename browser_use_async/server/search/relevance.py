"""Relevance of a text to a query, by the weights of the words that they share. No I/O."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile

from yarl import URL

from browser_use_async.server.html.page import Link, Page, shorten
from browser_use_async.server.html.words import word_set, words_of_lines

# The most characters of one answer.
MAX_CONTENT = 6_000

# How many links are followed at each level of depth.
_CLICKS_PER_LEVEL = 3

_LONGEST_PASSAGE = 600
_SHORT_LINE = 60
_CELL = " | "
_ROWS_OF_CONTEXT = 8
_NOISE = word_set(
    "a an and are as at be by for from has have how i in is it its of on or that the this to was "
    "what when where which who why will with you your do does me my find tell list all about"
)


class Weights:
    """The weights of the words of a query: rare words weigh more than common ones."""

    def __init__(self, query: str, texts: Iterable[str]) -> None:
        meant = word_set(query)
        # A query that consists of common words only is searched for all of them.
        wanted = meant - _NOISE or meant
        sets = [words_of_lines(text) for text in texts]
        found = Counter(word for each in sets for word in each & wanted)
        # Inverse document frequency, smoothed so that no weight is 0.
        self._weights = {word: math.log(1 + len(sets) / (1 + found[word])) for word in wanted}

    def score(self, text: str) -> float:
        """The sum of the weights of the words in a text; 0 if there are none."""
        present = words_of_lines(text) & self._weights.keys()
        return sum(self._weights[word] for word in present)


def scores(query: str, texts: Sequence[str]) -> list[float]:
    """The relevance of texts to a query, by the weights of its words in all of them."""
    weights = Weights(query, texts)
    return [weights.score(text) for text in texts]


def passages(query: str, pages: Sequence[Page]) -> str:
    """The passages that fit a query best, in the order of the pages."""
    lines = [
        (page, line.strip()) for page in pages for line in page.text.splitlines() if line.strip()
    ]
    weights = Weights(query, (line for _page, line in lines))
    scored = [(weights.score(line), index) for index, (_page, line) in enumerate(lines)]
    best = max(scored, default=(0.0, 0))[0]
    # A line with a single common word out of many says little about the query.
    good = sorted((each for each in scored if each[0] > 0.4 * best), reverse=True)
    chosen: set[int] = set()
    size = 0
    for _score, index in good:
        passage = set(_with_context(lines, index)) - chosen
        size += sum(min(len(lines[each][1]), _LONGEST_PASSAGE) for each in passage)
        if chosen and size > MAX_CONTENT:
            break
        chosen |= passage
    return _joined([lines[index] for index in sorted(chosen)])


def _with_context(lines: Sequence[tuple[Page, str]], index: int) -> range:
    """A line with its context: the rows below a table head, the text or table below a heading."""
    page, line = lines[index]
    start = index + 1
    below = lines[start] if start < len(lines) and lines[start][0] is page else None
    if below is None or (_CELL not in line and len(line) > _SHORT_LINE):
        return range(index, start)
    if _CELL not in below[1]:
        # A text below a heading; what follows a table is another matter.
        return range(index, start if _CELL in line or below[1].startswith("#") else start + 1)
    rows = takewhile(
        lambda place: lines[place][0] is page and _CELL in lines[place][1],
        range(start, min(start + _ROWS_OF_CONTEXT, len(lines))),
    )
    return range(index, start + len(list(rows)))


def _joined(lines: Sequence[tuple[Page, str]]) -> str:
    parts: list[str] = []
    last: Page | None = None
    for page, line in lines:
        if page is not last:
            parts.append(f"{page.title or page.url} ({page.url})")
            last = page
        parts.append(shorten(line, _LONGEST_PASSAGE))
    return "\n".join(parts)


def best_links(links: Iterable[Link], query: str) -> list[Link]:
    """The best links for a query; equal ones in the order of the page."""
    # Of several links to one page the first one counts.
    unique = list({without_fragment(link.url): link for link in reversed(list(links))}.values())[
        ::-1
    ]
    texts = {link.url: f"{link.text} {link.hint} {URL(link.url).path}" for link in unique}
    weights = Weights(query, texts.values())
    ranked = sorted(unique, key=lambda link: -weights.score(texts[link.url]))
    return ranked[:_CLICKS_PER_LEVEL]


def without_fragment(url: str) -> str:
    """An address without the part that only browsers see."""
    return str(URL(url).with_fragment(None))
