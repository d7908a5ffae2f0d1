"""Requests and responses of the API section Search."""

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Unset, Value, ruled
from browser_use_async.types.response import Response

_TEXT = FieldRule(FieldKind.TEXT, required=True, nullable=False, min_length=1)
_DEPTH = FieldRule(FieldKind.INTEGER, nullable=False, minimum=2, maximum=5, default=2)


@attrs.frozen(eq=False, repr=False)
class SimpleSearchRequest(Value):
    """The body of a search over several websites. API page: Simple Search.

    Attributes:
        query: What to look for.
        max_websites: How many websites at most, 1 to 10.
        depth: How deep each is read, 2 to 5.
    """

    query: str = ruled(_TEXT)
    max_websites: int | Unset = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=10, default=5)
    )
    depth: int | Unset = ruled(_DEPTH)


@attrs.frozen(eq=False, repr=False)
class SearchUrlRequest(Value):
    """The body of a search in one website. API page: Search URL.

    Attributes:
        url: Where to begin.
        query: What to look for.
        depth: How deep it is read, 2 to 5.
    """

    url: str = ruled(_TEXT)
    query: str = ruled(_TEXT)
    depth: int | Unset = ruled(_DEPTH)


@attrs.define(eq=False, repr=False)
class SearchResult(Response):
    """What one website says.

    Attributes:
        url: The page that was read.
        content: The passages that fit the query.
    """

    url: str
    content: str


@attrs.define(eq=False, repr=False)
class SearchResults(Response):
    """What several websites say.

    Attributes:
        results: One for each website that had something to say.
    """

    results: list[SearchResult] = attrs.field(factory=list)
