"""aioresponses on every aiohttp: for the form of calls only, since it does not see the wire."""

import inspect
import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import attrs
from aiohttp import ClientResponse
from aioresponses import aioresponses

__all__ = ["BASE_URL", "MockedApi", "MockedCall"]

BASE_URL = "https://api.browser-use.com/api/v1"

_PARAMETERS = inspect.signature(ClientResponse.__init__).parameters
_NEEDS_WRITER = (
    "stream_writer" in _PARAMETERS
    and _PARAMETERS["stream_writer"].default is inspect.Parameter.empty
)


class _WithWriter(ClientResponse):
    """aiohttp 3.14 requires an argument that aioresponses 0.7.9 does not know."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **{"stream_writer": Mock(output_size=0), **more})


_RESPONSE_CLASS = _WithWriter if _NEEDS_WRITER else ClientResponse


@attrs.frozen
class MockedCall:
    """A call of the SDK to aiohttp.

    Attributes:
        method: The method.
        url: The URL, with its query.
        headers: The headers, case-insensitive.
        body: The JSON of the body, or None without one.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any


class MockedApi:
    """Answers calls without a network.

    Args:
        mock: The started mock.

    Attributes:
        calls: What was called, in order.
    """

    def __init__(self, mock: aioresponses) -> None:
        self.calls: list[MockedCall] = []
        self._mock = mock

    def answer(self, method: str, path: str, body: str = "{}", status: int = 200) -> None:
        """Answer one call.

        Args:
            method: The method.
            path: Path and query below the base URL.
            body: The body of the answer.
            status: Its status.
        """

        def record(url: object, **asked: Any) -> None:
            data = asked.get("data")
            content = None if data is None else json.loads(data)
            self.calls.append(MockedCall(method, str(url), asked["headers"], content))

        self._mock.add(
            BASE_URL + path,
            method=method,
            status=status,
            body=body,
            callback=record,
            response_class=_RESPONSE_CLASS,
        )
