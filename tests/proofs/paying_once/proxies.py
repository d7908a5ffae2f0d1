"""Proxies and servers that treat keys wrongly: the warnings, and what is paid."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

import attrs

from browser_use_async.api.submission_key import (
    KEY_HEADER,
    REPLAYED_HEADER,
    SUPPORTED_HEADER,
    TRUE,
)
from browser_use_async.server.faults import Fault
from tests.proofs.paying_once.losses import Loss
from tests.proofs.paying_once.proxy import Message, Proxy, Rules
from tests.proofs.paying_once.submissions import (
    QUICK_RETRIES,
    Heard,
    Verdict,
    connected,
    judged,
    serving,
    submit,
)

__all__ = ["CASES", "Case", "Found", "ask"]

_JOBS: Final = 12
_WINDOW: Final = 6.0  # seconds; longer than a proxy keeps an answer
_KEPT: Final = 2.0  # seconds
_LATE: Final = 0.5  # seconds
_FIRSTS: Final = range(1, 2 * _JOBS, 2)  # the second request is the repetition


@attrs.define(eq=False)
class _Strips(Loss):
    """Removes the key from requests."""

    only_run_task: bool = False

    def forwarded(self, request: Message) -> Message:
        """Without the header."""
        passes = self.only_run_task and not request.creates
        return request if passes else request.without(KEY_HEADER)


@attrs.define(eq=False)
class _Caches(Loss):
    """Returns the answer of an earlier request for the same address, as a cache of pages does."""

    posts: bool = False  # answers to POST, too, for any request
    _kept: dict[str, tuple[float, Message]] = attrs.field(factory=dict, init=False)

    def known(self, request: Message) -> Message | None:
        """The stored answer."""
        kept = self._kept.get(request.start)
        return kept[1] if kept is not None and time.monotonic() - kept[0] < _KEPT else None

    def answered(self, request: Message, answer: Message) -> Message:
        """Store it."""
        if request.start.startswith("GET ") or self.posts:
            self._kept.setdefault(request.start, (time.monotonic(), answer))
            if time.monotonic() - self._kept[request.start][0] >= _KEPT:
                self._kept[request.start] = (time.monotonic(), answer)
        return answer


@attrs.define(eq=False)
class _Echoes(Loss):
    """Acts as a server that claims to keep keys, sends them back, and forgets them."""

    def answered(self, request: Message, answer: Message) -> Message:
        """With the headers of a server that keeps them."""
        answer_without_keys = answer.without(KEY_HEADER, SUPPORTED_HEADER, REPLAYED_HEADER)
        key = request.header(KEY_HEADER)
        if key is None:
            return answer_without_keys
        return answer_without_keys.with_headers((SUPPORTED_HEADER, TRUE), (KEY_HEADER, key))


@attrs.frozen
class Case:
    """A proxy or server, and the expected result."""

    name: str
    rules: Rules
    keys: bool = True  # whether the server keeps keys
    is_late: bool = False  # whether the first request to each task is executed late
    is_warm: bool = False  # whether the session has created a task before
    pays_twice: bool = False  # as no client can prevent


CASES: Final = (
    Case("a proxy strips the key", _Strips(1.0)),
    Case("a proxy caches pages", _Caches(1.0)),
    Case("a proxy caches all answers", _Caches(0.0, posts=True)),
    Case("a proxy strips run-task alone", _Strips(1.0, only_run_task=True)),
    Case(
        "a proxy strips run-task alone, the task is late",
        _Strips(0.0, only_run_task=True),
        is_late=True,
        pays_twice=True,
    ),
    Case("a server echoes and forgets", _Echoes(1.0), keys=False, is_warm=True, pays_twice=True),
)
"""Each loses the first answer to each submission, or is late with the task."""


@attrs.frozen
class Found:
    """The result of a case."""

    verdict: Verdict
    said: Sequence[str]  # by the SDK, in its log


async def ask(case: Case) -> Found:
    """Submit some jobs, each in a session of its own, which knows nothing of keys yet."""
    heard, logger, sent = Heard(), logging.getLogger("browser_use_async"), []
    logger.addHandler(heard)
    try:
        late = Fault("late_commit", "run_task", calls=_FIRSTS, seconds=_LATE)
        faults = [late] if case.is_late else []
        async with serving(submission_keys=case.keys, faults=faults) as server:
            async with Proxy(server.base_url, case.rules) as proxy:
                for number in range(_JOBS):
                    async with connected(
                        proxy.base_url, server.api_key, QUICK_RETRIES, _WINDOW
                    ) as session:
                        if case.is_warm:
                            await submit(session, f"warm-{number}")
                        sent.append(await submit(session, f"{number:06}", resubmits=True))
                await asyncio.sleep(2 * _LATE if case.is_late else 0)
            return Found(judged(sent, server.store.tasks), list(heard.lines))
    finally:
        logger.removeHandler(heard)
