"""Takes items in turn: gives what is known of them already, and runs the others."""

from typing import Any

import attrs

from browser_use_async.batch.endings import dead
from browser_use_async.batch.entries import Entry
from browser_use_async.batch.ledger.facts import Claim
from browser_use_async.batch.ledger.store import Store
from browser_use_async.batch.record import Record
from browser_use_async.batch.restoring import restored
from browser_use_async.batch.result import BatchResult
from browser_use_async.batch.run import Active, Run
from browser_use_async.batch.states import FINAL_STATES, MAY_COST, ItemState, StopReason
from browser_use_async.batch.way import Way
from browser_use_async.types import RunTaskRequest

__all__ = ["Items"]


@attrs.frozen
class Items:
    """Brings items to their ends."""

    shared: Run  # what they share

    async def run(self, entry: Entry) -> BatchResult[Any] | None:
        """Bring an item to its end."""
        claim = await self._claim(entry)
        if claim.repeated:
            self.shared.tally.duplicates += 1
            self.shared.on_change()
            return None
        self.shared.tally.meet(claim.state, known=claim.known)
        if entry.request is None or claim.state in FINAL_STATES:
            return await self._at_once(entry, claim)
        if claim.state is not ItemState.NEW:
            self.shared.admission.follow(entry.index, entry.request)
        elif not await self._may_begin(entry.index, entry.request):
            return None
        return await self._counted(entry, entry.request, claim)

    async def _claim(self, entry: Entry) -> Claim:
        now, revive = self.shared.service.now().timestamp(), self.shared.options.retry_dead_letters

        def claim(store: Store) -> Claim:
            return store.claim(entry.key, entry.digest, now, revive=revive)

        return await self.shared.writer.ask(claim)

    async def _may_begin(self, index: int, request: RunTaskRequest) -> bool:
        if self.shared.stopped_by is None and not await self.shared.admission.admit(index, request):
            self.shared.stop(StopReason.BUDGET)
        if self.shared.stopped_by is not None:  # perhaps meanwhile
            self.shared.admission.release(index)
        return self.shared.stopped_by is None

    async def _at_once(self, entry: Entry, claim: Claim) -> BatchResult[Any]:
        """The result of an item for which nothing is sent."""
        if entry.problem is None:
            return await restored(
                entry, claim, self.shared.service, self.shared.options.output_type
            )
        result, ending = dead(entry, claim, entry.problem)
        if claim.state is not ItemState.DEAD:
            self.shared.tally.begin(claim.state)
            await self._record(entry, claim).ended(ending)
            self.shared.tally.end(ItemState.DEAD)
            self.shared.on_change()
        return result

    def _record(self, entry: Entry, claim: Claim) -> Record:
        return Record(self.shared.writer, claim.position, entry.key, self.shared.service.now)

    async def _counted(
        self, entry: Entry, request: RunTaskRequest, claim: Claim
    ) -> BatchResult[Any] | None:
        """Run it, and count it as running meanwhile."""
        active = self.shared.active[entry.index] = Active(entry.key, task_id=claim.task_id)
        self.shared.tally.begin(claim.state)
        self.shared.on_change()
        state = claim.state
        try:
            result = await Way(self.shared, entry, request, claim, active).walk()
            state = ItemState.NEW if result is None else result.state
            return result
        finally:
            del self.shared.active[entry.index]
            self.shared.tally.end(state)
            if state in MAY_COST:
                self.shared.admission.abandon(entry.index)
            else:
                self.shared.admission.release(entry.index)
            self.shared.on_change()
