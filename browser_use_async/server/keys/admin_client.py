"""A client of the routes below /admin, by HTTP or over a Unix socket."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from yarl import URL

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import APIConnectionError, APIStatusError
from browser_use_async.server.keys.api_key import NO_KEY, NewKey, checked
from browser_use_async.system import no_connection

BACKUP_TYPE = "application/vnd.sqlite3"
"""The media type of the answer that is a backup."""

_SECONDS = 30.0
_NO_SERVER = "no server of this package seems to be there"
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
        self._place = socket or self._url

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

    async def backup(self) -> AsyncGenerator[bytes, None]:
        """Make a copy of the server's database, and yield its bytes.

        Raises:
            APIConnectionError: There is no answer, or not the whole copy.
            APIStatusError: The server refused, or makes no backups.
        """
        call = "POST /admin/backup"
        # No limit: it answers when the copy is made, and is on this machine, where a server that
        # has died closes the connection.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SECONDS)
        try:
            async with (
                self._http(timeout) as http,
                http.post(
                    self._url.with_path("/admin/backup"),
                    headers=self._headers,
                    allow_redirects=False,
                ) as answer,
            ):
                if answer.status == 200 and answer.content_type != BACKUP_TYPE:
                    raise APIStatusError(
                        f"{call} was answered with no backup: {_NO_SERVER}", status=200
                    )
                if answer.status == 404:
                    raise APIStatusError(
                        f"the server at {self._place} makes no backups: it is another server, or "
                        "an older version of this one",
                        status=404,
                    )
                if answer.status != 200:
                    _value_of(answer.status, await answer.content.read(_MAX_ANSWER), call)
                async for chunk in answer.content.iter_any():
                    yield chunk
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._failure(call, "no whole answer", error) from error

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
        try:
            async with (
                self._http(aiohttp.ClientTimeout(total=_SECONDS)) as http,
                http.request(
                    method, target, json=body, headers=self._headers, allow_redirects=False
                ) as answer,
            ):
                status, text = answer.status, await answer.content.read(_MAX_ANSWER)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._failure(f"{method} {path}", "no answer", error) from error
        return _value_of(status, text, f"{method} {path}")

    def _http(self, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        connector = None if self._socket is None else aiohttp.UnixConnector(str(self._socket))
        return aiohttp.ClientSession(connector=connector, timeout=timeout)

    def _failure(self, call: str, what: str, error: Exception) -> APIConnectionError:
        if isinstance(error, aiohttp.ClientConnectorError):
            place = str(self._socket or f"{error.host}:{error.port}")
            reason = no_connection(place, error.os_error)
            return APIConnectionError(
                f"{call} got no answer: {reason}; the request was not sent", sent=False
            )
        reason = str(error) or type(error).__name__
        return APIConnectionError(
            f"the server at {self._place} gave {what} to {call}: {reason}", sent=True
        )


def _value_of(status: int, text: bytes, call: str) -> dict[str, Any]:
    try:
        value = read_json(text)
    except JsonRefusedError:
        value = None
    if status == 200 and isinstance(value, dict):
        return value
    detail = value.get("detail") if isinstance(value, dict) else None
    shown = detail if isinstance(detail, str) else _NO_SERVER
    raise APIStatusError(f"{call} was answered with {status}: {shown}", status=status, detail=shown)
