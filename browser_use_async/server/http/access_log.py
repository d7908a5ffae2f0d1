"""The access log: one line for each request, as text or JSON, without secret parts of URLs.

Links to live pages and to files are secrets: their holder can watch a task or fetch its files.
So tokens in paths and all values of a query but those of the API's own parameters are masked.
"""

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, quote, unquote

import attrs
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from browser_use_async.api.endpoint_table import API_PREFIX, ENDPOINTS
from browser_use_async.api.scalars import format_timestamp
from browser_use_async.api.submission_key import REPLAYED_HEADER
from browser_use_async.server.http.responses import json_text
from browser_use_async.server.keys.api_key import ApiKey

LOGGER = logging.getLogger("browser_use_async.server.access")

_Value = TypeVar("_Value")


def _request_key(name: str, kind: type[_Value]) -> "web.RequestKey[_Value]":
    # Before 3.14 aiohttp took a text in place of this.
    if hasattr(web, "RequestKey"):
        return web.RequestKey(name, kind)
    return cast("web.RequestKey[_Value]", name)


# The name of the route of a request, and its key once that was checked.
CALL_OF_REQUEST = _request_key("call", str)
KEY_OF_REQUEST = _request_key("api_key", ApiKey)
# The name under which requests without a route are counted and logged.
UNROUTED = "unrouted"

_MASK = "***"
# At any place: a client or a proxy may have added a prefix, or encoded a slash.
_TOKEN = re.compile(r"\b(live|share)((?:/|%2f)+)[^/]+", re.IGNORECASE)
# By mistake a client may write a key in place of an id.
_KEY = re.compile(r"\bbu_[\w-]{16,}")
_LONGEST = 200  # characters of a path or a query
_MAX_DECODINGS = 3  # a proxy may decode a path, and the server decodes it again


class AccessLogger(AbstractAccessLogger):
    """Writes method, path, status, bytes sent, milliseconds, and whether it is a replay at INFO.

    A record has these also as its attribute `access`, with the call and the key.
    """

    @property
    def enabled(self) -> bool:
        """Whether there is a reader; aiohttp measures no time without one."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line of one request."""
        target, is_replay = masked_target(request), REPLAYED_HEADER in response.headers
        access = {
            **_key_and_call(request),
            "method": request.method,
            "path": target,
            "status": response.status,
            "bytes": response.body_length,
            "ms": round(time * 1000, 3),
            "replayed": is_replay,
        }
        self.logger.info(
            "%s %s %d %d bytes %.0f ms%s",
            request.method,
            target,
            response.status,
            response.body_length,
            time * 1000,
            " replayed" if is_replay else "",
            extra={"access": access},
        )


class JsonLines(logging.Formatter):
    """Formats records of the access log as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one request."""
        at = datetime.fromtimestamp(record.created, UTC)
        return json_text({"at": format_timestamp(at), **record.__dict__["access"]})


def _key_and_call(request: web.BaseRequest) -> dict[str, Any]:
    key = request.get(KEY_OF_REQUEST)
    return {
        "key": None if key is None else key.name,
        "key_id": None if key is None else key.id,
        "call": request.get(CALL_OF_REQUEST, UNROUTED),
    }


def masked_target(request: web.BaseRequest) -> str:
    """The path and query of a request, without parts that grant access."""
    # Percent-encoded, so that no request can add a line.
    path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
    shown = _masked_path(path)[:_LONGEST]
    return f"{shown}?{_masked_query(path, query)[:_LONGEST]}" if query else shown


def _masked_path(path: str) -> str:
    """The path without tokens, also where its letters are percent-encoded."""
    masked = _KEY.sub(_MASK, _TOKEN.sub(rf"\1\2{_MASK}", path))
    decoded = masked
    for _ in range(_MAX_DECODINGS if "%" in masked else 0):
        decoded = unquote(decoded)
        if (again := _TOKEN.sub(rf"\1\2{_MASK}", decoded)) != decoded:
            decoded = again
            masked = quote(again, safe="/*")
    return masked


def _masked_query(path: str, query: str) -> str:
    known = _parameters() if path.startswith(API_PREFIX) else frozenset[str]()
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(_pair(name, value, known) for name, value in pairs)


def _pair(name: str, value: str, known: Iterable[str]) -> str:
    # An unknown name may be anything, also a secret.
    if name not in known:
        return f"{_MASK}={_MASK}" if not name.isidentifier() else f"{name}={_MASK}"
    return f"{name}={_KEY.sub(_MASK, value) if value.isprintable() else _MASK}"


@cache
def _parameters() -> frozenset[str]:
    """The names of query parameters of Cloud API v1."""
    models = {each.query for each in ENDPOINTS if each.query is not None}
    return frozenset(field.name for model in models for field in attrs.fields(model))
