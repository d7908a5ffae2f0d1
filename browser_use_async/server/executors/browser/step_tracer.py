"""The traces of a task's steps: addresses, requests, and errors of the pages."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from playwright.async_api import BrowserContext, ConsoleMessage, Request, Response, WebError
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.records import FailedRequest, StepTrace

NotedT = TypeVar("NotedT")

_MOST_KEPT = 20  # console errors of a step, and failed requests
_MOST_ADDRESSES = 10
_MOST_CHARACTERS = 300  # of each text
_MOST_MASKED = 20_000  # characters that are searched for secrets
_MOST_MESSAGES = 200  # of the console in one step; more are ignored
_REQUEST_FAILED = "Failed to load resource"  # Chromium's console message for each of them
_FAILED = 400  # and higher statuses


class StepTracer:
    """Records the events of a context's pages until the next step is reported.

    Secrets are masked before a text is cut, since half a secret would not be found.
    """

    def __init__(self, context: BrowserContext, secrets: Mapping[str, str]) -> None:
        self._context = context
        self._mask = SecretRedactor(secrets)
        self._longest = max(map(len, self._mask.values), default=0)
        self._is_listening = False
        self._begin()
        context.on("request", self._request_sent)
        context.on("response", self._response_received)
        context.on("requestfailed", self._request_failed)
        context.on("requestfinished", self._request_finished)

    def take(self) -> StepTrace:
        """Return the events since the previous step."""
        trace = StepTrace(
            seconds=round(time.monotonic() - self._since, 3),
            addresses=tuple(self._addresses),
            console=tuple(self._console),
            failed=tuple(self._failed),
            requests=self._requests,
            slowest=self._slowest,
            slowest_seconds=round(self._slowest_seconds, 3),
            omitted=self._omitted,
        )
        self._begin()
        return trace

    def _begin(self) -> None:
        self._since = time.monotonic()
        self._addresses: list[str] = []
        self._console: list[str] = []
        self._failed: list[FailedRequest] = []
        self._requests = self._omitted = self._messages = 0
        self._slowest, self._slowest_seconds = "", 0.0
        if not self._is_listening:
            self._is_listening = True
            self._context.on("console", self._message_written)
            self._context.on("weberror", self._error_raised)

    def _message_written(self, message: ConsoleMessage) -> None:
        self._count_message()
        # Failed requests are recorded by their own event.
        if message.type == "error" and not message.text.startswith(_REQUEST_FAILED):
            self._note_error(message.text)

    def _error_raised(self, error: WebError) -> None:
        self._count_message()
        self._note_error(f"Uncaught {error.error.message}")

    def _count_message(self) -> None:
        self._messages += 1
        if self._messages > _MOST_MESSAGES and self._is_listening:
            # A page that floods its console must not keep this process busy.
            self._is_listening = False
            self._context.remove_listener("console", self._message_written)
            self._context.remove_listener("weberror", self._error_raised)

    def _note_error(self, text: str) -> None:
        self._keep(self._console, lambda: self._shown(text))

    def _request_sent(self, _: Request) -> None:
        self._requests += 1

    def _response_received(self, response: Response) -> None:
        request = response.request
        if _is_document(request) and len(self._addresses) < _MOST_ADDRESSES:
            self._addresses.append(f"{response.status} {self._shown(response.url)}")
        if response.status >= _FAILED:
            self._note_failure(request, f"status {response.status}")

    def _request_failed(self, request: Request) -> None:
        self._note_failure(request, request.failure or "it failed")

    def _note_failure(self, request: Request, problem: str) -> None:
        self._keep(
            self._failed,
            lambda: FailedRequest(request.method, self._shown(request.url), self._shown(problem)),
        )

    def _request_finished(self, request: Request) -> None:
        seconds = request.timing["responseEnd"] / 1000
        if seconds > self._slowest_seconds:
            self._slowest, self._slowest_seconds = self._shown(request.url), seconds

    def _keep(self, kept: list[NotedT], make: Callable[[], NotedT]) -> None:
        if len(kept) < _MOST_KEPT:
            kept.append(make())
        else:
            self._omitted += 1

    def _shown(self, text: str) -> str:
        masked = self._mask.text(text[:_MOST_MASKED])
        # Masks shorten the text, so what is shown could reach its end, where a secret may be cut.
        if len(text) > _MOST_MASKED and len(masked) < _MOST_CHARACTERS + self._longest:
            return f"(a text of {len(text):,} characters)"
        is_cut = len(masked) > _MOST_CHARACTERS
        return masked[: _MOST_CHARACTERS - 1] + "…" if is_cut else masked


def _is_document(request: Request) -> bool:
    try:
        return request.is_navigation_request() and request.frame.parent_frame is None
    except PlaywrightError:
        return False  # the window has no page object yet
