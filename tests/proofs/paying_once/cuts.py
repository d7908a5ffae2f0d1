"""The connection breaks at each byte of a request, and at each byte of its answer."""

import asyncio
from collections.abc import Iterator, Sequence

import attrs

from tests.proofs.paying_once.proxy import PASSED, Cut, Message, Proxy, Rules
from tests.proofs.paying_once.submissions import (
    QUICK_RETRIES,
    Sent,
    Verdict,
    connected,
    judged,
    serving,
    submit,
)

__all__ = ["cut_at_each_byte"]

_LANES = 8


@attrs.define(eq=False)
class _NextCut(Rules):
    """Breaks the next request for a task at one place, and measures those that pass."""

    next: Cut = PASSED
    request_bytes: int = 0
    answer_bytes: int = 0

    def cut(self, request: Message) -> Cut:
        """Break once."""
        if not request.creates:
            return PASSED
        cut, self.next = self.next, PASSED
        return cut

    def answered(self, request: Message, answer: Message) -> Message:
        """Measure both."""
        if request.creates:
            self.request_bytes, self.answer_bytes = len(request.whole), len(answer.whole)
        return answer


async def cut_at_each_byte(stride: int, *, is_warm: bool) -> Verdict:
    """Submit a job for each place, with a session that knows of keys, or with a new one."""
    async with serving() as server:
        rules = _NextCut()
        async with (
            Proxy(server.base_url, rules) as proxy,
            connected(proxy.base_url, server.api_key) as session,
        ):
            await submit(session, _job(0))
            await submit(session, _job(1))  # with a kept connection, as those after it
        cuts = [
            *(Cut(request_bytes=at, rudely=at % 2 == 1) for at in range(rules.request_bytes)),
            *(Cut(answer_bytes=at, rudely=at % 2 == 1) for at in range(rules.answer_bytes)),
        ][::stride]
        lanes = [list(enumerate(cuts, 2))[lane::_LANES] for lane in range(_LANES)]
        url, key = server.base_url, server.api_key
        found = await asyncio.gather(*(_run(url, key, lane, is_warm=is_warm) for lane in lanes))
        sent = [each for lane in found for each in lane]
        return judged(sent, server.store.tasks)


async def _run(url: str, key: str, cuts: Sequence[tuple[int, Cut]], *, is_warm: bool) -> list[Sent]:
    rules, found = _NextCut(), list[Sent]()
    async with Proxy(url, rules) as proxy:
        for some in [cuts] if is_warm else _one_by_one(cuts):
            async with connected(proxy.base_url, key, QUICK_RETRIES, 5.0) as session:
                if is_warm:
                    await submit(session, f"{cuts[0][0]:06}-warm")
                for number, cut in some:
                    rules.next = cut
                    found.append(await submit(session, _job(number), resubmits=True))
    return found


def _one_by_one(cuts: Sequence[tuple[int, Cut]]) -> Iterator[list[tuple[int, Cut]]]:
    for each in cuts:
        yield [each]


def _job(number: int) -> str:
    return f"{number:06}"
