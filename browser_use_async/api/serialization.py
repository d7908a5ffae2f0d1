"""Reads the bytes of answers into typed values, and writes models as JSON."""

import contextlib
import re
from collections.abc import Callable
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeGuard

import attrs

from browser_use_async.api.endpoint_table import LIST_TASKS, Endpoint
from browser_use_async.api.json import JsonRefusedError, read_json, skim_json
from browser_use_async.api.scalars import plain
from browser_use_async.errors import ResponseDecodeError
from browser_use_async.types import UNSET, TaskStatus


class StatusPage(NamedTuple):
    """The statuses of the tasks of one page."""

    ids: list[str]  # of the tasks, newest first
    statuses: list[str]  # of the same tasks
    limit: int  # how many rows a page has at most, as the answer says
    total_count: int  # how many tasks there are on all pages
    size: int  # bytes of the answer
    digest: int | None = None  # of these bytes, if the previous answer had the same length


_ID, _STATUS = itemgetter("id"), itemgetter("status")

# The same call as `LIST_TASKS`, of whose answer less is read.
LIST_STATUSES: Endpoint = attrs.evolve(LIST_TASKS, returns=StatusPage)


# Bytes above which the objects of a list are counted: a large page may have few rows, not many.
_LARGE = 2 * 1024 * 1024
# Objects that a row may have, and a page in addition: in the specification a row has one.
_OF_A_ROW, _OF_A_PAGE = 100, 1000


def read_status_page(
    body: bytes, known: StatusPage | None = None, most: int | None = None
) -> StatusPage:
    """Read a page of at most `most` objects; returns `known` itself if nothing has changed."""
    # Compared by a digest, which takes a fifth of the time of reading. To compare the bytes they
    # would have to be kept: a page is a hundred times as large as what is read of it. If tasks
    # were created meanwhile, the lengths differ and no digest is computed.
    digest = None
    if known is not None and known.size == len(body):
        digest = hash(body)
        if known.digest == digest:
            return known
    if most is not None and body.count(b'"id"') > most:
        raise ResponseDecodeError(f"the page of tasks has more than {most} objects")
    page = _page_reader()(body)
    page = _skim_status_page(body, most) if page is None else page
    return page if digest is None else page._replace(digest=digest)


@cache
def _page_reader() -> Callable[[bytes], StatusPage | None]:
    """A reader that needs a third of the time, if msgspec is installed."""
    try:
        import msgspec  # noqa: PLC0415 - 10 ms that only shared polls need
    except ImportError:
        return lambda _body: None

    # It skips other fields of a row, without decoding them.
    class Row(msgspec.Struct, gc=False):
        id: str
        status: str

    class Page(msgspec.Struct, gc=False):
        tasks: list[Row]
        limit: object  # since 100.0 would be an int to msgspec
        total_count: object

    decode = msgspec.json.Decoder(Page).decode
    id_of, status_of = attrgetter("id"), attrgetter("status")

    def read(body: bytes) -> StatusPage | None:
        # If it refuses a page, the other reader decides, so the result is always the same.
        with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
            page = decode(body)
            rows, limit, total = page.tasks, page.limit, page.total_count
            if _is_count(limit) and _is_count(total):
                ids, statuses = [*map(id_of, rows)], [*map(status_of, rows)]
                return StatusPage(ids, statuses, limit, total, len(body))
        return None

    return read


def _is_count(value: object) -> TypeGuard[int]:
    # Readers of JSON differ for numbers of more than 64 bits.
    return isinstance(value, int) and abs(value) < 2**63


def _skim_status_page(body: bytes, most: int | None) -> StatusPage:
    with contextlib.suppress(ValueError, TypeError, LookupError, RecursionError):
        page: Any = skim_json(body) if most is None else read_json(body, most)
        rows, limit, total = page["tasks"], page["limit"], page["total_count"]
        # Two lists of texts and no pairs, which the garbage collector would have to visit.
        ids, statuses = [*map(_ID, rows)], [*map(_STATUS, rows)]
        are_texts = {*map(type, ids), *map(type, statuses)} <= {str}
        if _is_count(limit) and _is_count(total) and are_texts:
            return StatusPage(ids, statuses, limit, total, len(body))
    # Raised here and not where it was caught: that exception contains the body.
    raise ResponseDecodeError("the answer is no page of tasks with their statuses")


# What nearly every status poll is answered with, recognized without reading JSON.
_STATUS_BODIES = {f'"{status}"'.encode(): status for status in TaskStatus}
_BARE_STATUS = rb"\s*([A-Za-z][A-Za-z_-]{0,63})\s*"


# --- JSON to models -----------------------------------------------------------------------


@cache
def load_structure() -> Callable[[Any, Any], Any]:
    """What makes models of JSON, loaded on first use."""
    # cattrs takes a quarter of the time that all the rest takes to load. A program that imports the
    # class of a session and makes none does without. The transport loads it when it is made, so
    # that no answer has to wait for it.
    from browser_use_async.api.converter import structure  # noqa: PLC0415

    return structure


def decode_response(
    endpoint: Endpoint, body: bytes, known: StatusPage | None = None, rows: int | None = None
) -> Any:
    """The typed result of a call, from the bytes of its answer, or from the last answer as well.

    Of a list with many more rows than were asked for, no more than these are read.
    """
    most = None if rows is None or len(body) <= _LARGE else rows * _OF_A_ROW + _OF_A_PAGE
    returns = endpoint.returns  # once: a property that looks a class up
    if returns is None:
        return None
    if returns is StatusPage:
        return read_status_page(body, known, most)
    if returns is TaskStatus and body in _STATUS_BODIES:
        return _STATUS_BODIES[body]
    problem: str
    try:
        value = read_json(body, most)
    except JsonRefusedError as error:
        problem = str(error)
    else:
        if returns is not bool:
            return load_structure()(value, returns)
        # Strict, unlike booleans in objects: a wrong yes about a key would be believed.
        if isinstance(value, bool):
            return value
        raise ResponseDecodeError("at $: expected true or false")
    if returns is TaskStatus and (match := re.fullmatch(_BARE_STATUS, body)):
        # Seen from proxies and bridges: the status as plain text, without quotes.
        return TaskStatus(match[1].decode("ascii"))
    verdict = "is not JSON" if most is None else f"is no list of {rows} rows"
    raise ResponseDecodeError(f"the body of {len(body)} bytes {verdict}: {problem}")


# --- models to JSON -----------------------------------------------------------------------


def encode_request(request: Any) -> dict[str, Any]:
    """The JSON object of a request: exactly the fields that were given."""
    fields = {
        field.name: plain(value)
        for field in attrs.fields(type(request))
        if (value := getattr(request, field.name)) is not UNSET
    }
    fields.update(fields.pop("extra_fields", None) or {})
    return fields


def given_fields(request: Any) -> dict[str, Any]:
    """The fields of a request that say something: neither left out nor null."""
    return {
        field.name: value
        for field in attrs.fields(type(request))
        if (value := getattr(request, field.name)) is not UNSET and value is not None
    }
