"""Answers that are lost: how often a task is paid twice, and how long it is not known."""

import hashlib
import json
from collections import Counter
from typing import Final, Literal

import attrs

from tests.proofs.paying_once.proxy import PASSED, Cut, Message, Proxy, Rules
from tests.proofs.paying_once.submissions import Verdict, connected, judged, serving, submit_all

__all__ = ["SHARE", "Loss", "lose", "lose_requests"]

SHARE: Final = 0.3
_AT_ONCE = 50

Which = Literal["first answers", "all answers"]


@attrs.define(eq=False)
class Loss(Rules):
    """Loses answers to run-task, or requests; which ones depends on the job alone."""

    share: float
    which: Which = "first answers"
    loses_requests: bool = False
    _seen: Counter[bytes] = attrs.field(factory=Counter, init=False)

    def cut(self, request: Message) -> Cut:
        """Lose one, or none."""
        if not request.creates:
            return PASSED
        # By its name: a job that is submitted again has another mark.
        job = json.loads(request.body)["metadata"]["job"].encode()
        times = self._seen[job]
        self._seen[job] += 1
        if times and self.which == "first answers":
            return PASSED
        digest = hashlib.sha256(job + bytes([times])).digest()
        if int.from_bytes(digest[:4]) >= self.share * 2**32:
            return PASSED
        return Cut(request_bytes=0) if self.loses_requests else Cut(answer_bytes=0)


async def lose(count: int, which: Which, *, submission_keys: bool) -> Verdict:
    """Submit jobs of which answers are lost."""
    async with serving(submission_keys=submission_keys) as server:
        proxy = Proxy(server.base_url, Loss(SHARE, which))
        async with proxy, connected(proxy.base_url, server.api_key) as session:
            jobs = (f"{number:06}" for number in range(count))
            sent = await submit_all(session, jobs, at_once=_AT_ONCE)
        return judged(sent, server.store.tasks)


async def lose_requests(count: int, window: float, *, submission_keys: bool) -> Verdict:
    """Submit jobs whose first request never reaches the server, which only time can show."""
    async with serving(submission_keys=submission_keys) as server:
        proxy = Proxy(server.base_url, Loss(1.0, loses_requests=True))
        async with proxy, connected(proxy.base_url, server.api_key, window=window) as session:
            jobs = (f"{number:06}" for number in range(count))
            sent = await submit_all(session, jobs, at_once=count, resubmits=True)
        return judged(sent, server.store.tasks)
