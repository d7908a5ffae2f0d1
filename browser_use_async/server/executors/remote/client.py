"""Calls of the hosted service: answers, refusals, lost answers, and the files behind its links."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import attrs

from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.remote.rate_limiter import Bucket, RateLimiter
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.server.http_client import USER_AGENT, HttpClient, HttpClientError

_logger = logging.getLogger(__name__)

KEY_HEADER = "X-Browser-Use-API-Key"
MAX_REMOTE_FILE = 100 * 1024 * 1024
"""The maximum size of a fetched file or film, in bytes."""
_MAX_ANSWER = 32 * 1024 * 1024
_CALL_SECONDS, _FILE_SECONDS = 60.0, 120.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LONGEST_WORDS = 300
_REFUSALS = {
    401: "The hosted service does not take the key of this server",
    402: "The hosted service asks to be paid",
    403: "The account has no right to this on the hosted service",
}
_SLOT_WORDS = ("concurrent", "active session")


class CloudError(Exception):
    """A task cannot be done on the service; the text is a sentence for the client."""


class RefusedError(CloudError):
    """The service refused the call."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(_sentence(status, words))
        self.status = status


class NoAnswerError(CloudError):
    """No usable answer came, so it is unknown whether the call had its effect."""


class OddAnswerError(CloudError):
    """An answer has another form than the service's document says."""

    def __init__(self, error: Exception) -> None:
        kind = type(error).__name__
        super().__init__(f"The hosted service answered in an unknown form ({kind}: {error})")


ODD_ANSWERS = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""The exceptions of reading an answer of another form."""


class CloudClient:
    """Makes calls with the operator's key, through one rate limiter for all tasks."""

    def __init__(self, settings: CloudSettings) -> None:
        self.settings = settings
        self.rate_limiter = RateLimiter(settings.concurrency)
        self._http: aiohttp.ClientSession | None = None
        # Links of the service lead anywhere public, and to the place that the operator named.
        policy = Egress().policy_naming(opening=[settings.base_url])
        self._files = HttpClient(policy, silence=_FILE_SECONDS, exchange=_FILE_SECONDS)

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        version: str = "v4",
        bucket: Bucket = Bucket.GENERAL,
        takes_slot: bool = False,
        is_repeated: bool = True,
    ) -> Any:
        """Make a call and return the JSON of its answer.

        It waits where the service asks for it. Without an answer it is made again, unless
        `is_repeated` is False. `version` names the version of the API.
        """
        pause = _FIRST_PAUSE
        path = f"/api/{version}{path}"
        while True:
            await self.rate_limiter.admit(bucket, takes_slot=takes_slot)
            reply = await self._answer(method, path, body, query)
            if reply is not None:
                self.rate_limiter.learn(bucket, reply.headers)
                if reply.status == 429:
                    self._wait_for(reply, takes_slot=takes_slot)
                    continue  # nothing was done, so it cannot be done twice
                if reply.status >= 400:
                    raise RefusedError(reply.status, self._words(reply.value))
                return reply.value
            if not is_repeated:
                raise NoAnswerError("The service gave no answer")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def items(self, path: str, name: str, query: Mapping[str, str]) -> AsyncIterator[Any]:
        """Yield the items of a list from all its pages, where `name` is their key."""
        page: Any = None
        while page is None or (page.get("hasMore") and page.get("nextCursor")):
            cursor = {} if page is None else {"cursor": page["nextCursor"]}
            page = await self.call("GET", path, query={**query, **cursor})
            for each in page[name]:
                yield each

    async def fetch(self, url: str) -> bytes | None:
        """Fetch the content behind a link of the service; None if that fails."""
        try:
            return await self._exchange("GET", url)
        except CloudError as error:
            _logger.warning("a file of the hosted service was not fetched: %s", error)
            return None

    async def put(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send a file to a link of the service."""
        try:
            await self._exchange("PUT", url, headers, body)
        except CloudError as error:
            raise CloudError(f"A file could not be given to the service: {error}") from error

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """The answer of a link, in one of three attempts."""
        problem = ""
        for _attempt in range(3):
            try:
                response = await self._files.send(
                    method, url, headers=headers, body=body, limit=MAX_REMOTE_FILE
                )
            except HttpClientError as error:
                problem = str(error)
                continue
            if response.status < 300:
                return response.body
            problem = f"it answered {response.status}"
        raise CloudError(problem)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> "_Reply | None":
        """One request; None if there is no answer, or if its effect is unknown."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT, KEY_HEADER: self.settings.api_key or ""},
                timeout=aiohttp.ClientTimeout(total=None),
            )
        url = self.settings.base_url + path
        asking = self._http.request(method, url, json=body, params=query, allow_redirects=False)
        try:
            async with asyncio.timeout(_CALL_SECONDS), asking as response:
                content = await response.content.read(_MAX_ANSWER)
                while not response.content.at_eof() and len(content) < _MAX_ANSWER:
                    content += await response.content.read(_MAX_ANSWER)
                reply = _Reply(response.status, response.headers, _read(content, response.status))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = type(error).__name__
        else:
            if reply.status < 500 and reply.status != 408:
                return reply
            problem = f"{reply.status}, {self._words(reply.value)}"
        _logger.warning("no answer of the hosted service to %s %s: %s", method, path, problem)
        return None

    def _wait_for(self, reply: "_Reply", *, takes_slot: bool) -> None:
        words = self._words(reply.value).lower()
        is_full = takes_slot and any(each in words for each in _SLOT_WORDS)
        if is_full and "Retry-After" not in reply.headers:
            self.rate_limiter.pause_slots()
        else:
            self.rate_limiter.pause(reply.headers)

    def _words(self, value: Any) -> str:
        """The service's reason of a refusal: shortened, in one line, without the key."""
        detail = value.get("detail", value) if isinstance(value, dict) else value
        text = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
        return clean(text.replace(self.settings.api_key or "\0", "***"))


@attrs.frozen
class _Reply:
    status: int
    headers: Mapping[str, str]
    value: Any


def clean(text: str) -> str:
    """A text of the service for a person: one short line without control characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= _LONGEST_WORDS else line[: _LONGEST_WORDS - 1] + "…"


def _read(content: bytes, status: int) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        if status < 400:  # the call may have had its effect: this answer does not show it
            raise aiohttp.ClientPayloadError("the answer is no JSON") from None
        return content[:_LONGEST_WORDS].decode("utf-8", "replace")


def _sentence(status: int, words: str) -> str:
    said = f"the service says: {words}" if words else "the service says no more"
    return f"{_REFUSALS.get(status, 'The hosted service refused it')} ({status}); {said}"
