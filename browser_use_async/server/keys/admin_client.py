"""A client of the routes below /admin, by HTTP or over a Unix socket."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from yarl import URL

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import APIConnectionError, APIStatusError
from browser_use_async.server.keys.api_key import NO_KEY, NewKey, checked

_SECONDS = 30.0
_MAX_ANSWER = 64 * 1024 * 1024


class AdminClient:
    """Calls the administration of a running server.

    Args:
        url: Scheme, host and port of the server.
        api_key: A key with the scope admin.
        socket: The Unix socket on which administration listens, in place of the URL.
    """

    def __init__(self, url: str, api_key: str, socket: Path | None = None) -> None:
        self._url = URL("http://localhost" if socket is not None else url)
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._socket = socket

    async def add(self, new: NewKey) -> dict[str, Any]:
        """Add a key; only this object has its text.

        Raises:
            ConfigurationError: No key can be like this.
        """
        fields = attrs.asdict(checked(new))
        if fields["budget_cents"] is not None:
            fields["budget_cents"] = str(fields["budget_cents"])  # JSON has no decimal numbers
        return await self._call("POST", "/admin/keys", fields)

    async def all(self) -> list[dict[str, Any]]:
        """All keys, oldest first."""
        keys: list[dict[str, Any]] = (await self._call("GET", "/admin/keys"))["keys"]
        return keys

    async def revoke(self, key_id: str) -> dict[str, Any] | None:
        """Revoke a key; None if there is none with this id."""
        try:
            return await self._call("DELETE", f"/admin/keys/{key_id}")
        except APIStatusError as error:
            if error.status == 404 and error.detail == NO_KEY:
                return None
            raise

    async def get(self, path: str) -> dict[str, Any]:
        """Get a path below `/admin`."""
        return await self._call("GET", path)

    async def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Put a value at a path below `/admin`."""
        return await self._call("PUT", path, body)

    async def delete(self, path: str) -> None:
        """Delete a path below `/admin`."""
        await self._call("DELETE", path)

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Make one call, and return the JSON of the answer.

        Raises:
            APIConnectionError: There is no answer.
            APIStatusError: The server refused.
        """
        target = self._url.with_path(path)
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        connector = None if self._socket is None else aiohttp.UnixConnector(str(self._socket))
        place = self._socket or self._url
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
                http.request(
                    method, target, json=body, headers=self._headers, allow_redirects=False
                ) as answer,
            ):
                status, text = answer.status, await answer.content.read(_MAX_ANSWER)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise APIConnectionError(
                f"the server at {place} gave no answer to {method} {path}: {reason}", sent=True
            ) from error
        return _value_of(status, text, f"{method} {path}")


def _value_of(status: int, text: bytes, call: str) -> dict[str, Any]:
    try:
        value = read_json(text)
    except JsonRefusedError:
        value = None
    if status == 200 and isinstance(value, dict):
        return value
    detail = value.get("detail") if isinstance(value, dict) else None
    shown = detail if isinstance(detail, str) else "no server of this package seems to be there"
    raise APIStatusError(f"{call} was answered with {status}: {shown}", status=status, detail=shown)
