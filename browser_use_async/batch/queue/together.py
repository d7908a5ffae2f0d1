"""Answers in one call what many asyncio tasks ask for at the same time."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import attrs

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")


@attrs.define(eq=False)
class Together(Generic[AskedT, AnswerT]):
    """Asks once for all that is asked for in one pause, or during the last call."""

    # A commit or an answer wakes several callers, who ask for the next thing in the same turn. The
    # first of them asks for all. If that one is cancelled, so are the others: who cancels one item
    # of a batch cancels all.

    _ask_for: Callable[[Sequence[AskedT]], Awaitable[Sequence[AnswerT | Exception]]]
    _pause: float = 0.0  # seconds; 0 is one turn of the loop
    _asked: "list[tuple[AskedT, asyncio.Future[AnswerT]]]" = attrs.field(factory=list, init=False)
    _one_call: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def ask(self, what: AskedT) -> AnswerT:
        """The answer to one question."""
        answered: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        self._asked.append((what, answered))
        if len(self._asked) == 1:
            asked = self._asked
            try:
                await asyncio.sleep(self._pause)
                async with self._one_call:
                    self._asked = []
                    await self._answer(asked)
            finally:
                if self._asked is asked:  # cancelled before the call
                    self._asked = []
                for _what, each in asked:
                    each.cancel()  # no effect on those that have their answer
        return await answered

    async def _answer(self, asked: "Sequence[tuple[AskedT, asyncio.Future[AnswerT]]]") -> None:
        try:
            answers = await self._ask_for([what for what, _answered in asked])
        except Exception as error:  # noqa: BLE001 - raised for each of them
            answers = [copy.copy(error) for _each in asked]
        for (_what, answered), answer in zip(asked, answers, strict=True):
            if answered.done():  # its caller was cancelled
                continue
            if isinstance(answer, Exception):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)
