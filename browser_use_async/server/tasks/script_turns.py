"""Decides which task records a script that has no version yet."""

import asyncio

import attrs

from browser_use_async.api.script_pairs import ScriptPairs, ScriptPairsError
from browser_use_async.server.records import Assignment, ScriptOrder
from browser_use_async.server.storage.database import stored
from browser_use_async.server.storage.scripts import ScriptStore
from browser_use_async.server.tasks.changes import Changes

_LOOK_SECONDS = 5.0  # until a missed change is looked for


class ScriptTurns:
    """Gives tasks the scripts that they name.

    Of the tasks that name a script which is not there, one records it, and the others wait for its
    end: five hundred rows of a batch are not done by the agent because they began together.
    """

    def __init__(self, scripts: ScriptStore, changes: Changes, *, are_attended: bool) -> None:
        self._are_attended = are_attended  # whether a person can be asked
        self._scripts = scripts
        self._changes = changes

    async def take(self, assignment: Assignment) -> Assignment:
        """The assignment with the latest version of its script, or with the turn to record it."""
        try:
            pairs = ScriptPairs.of(assignment.metadata)
        except ScriptPairsError:  # the task is older than the check of pairs
            pairs = None
        if pairs is None:
            return assignment
        scripts, task_id = self._scripts.of(assignment.owner), assignment.task_id
        while True:
            latest = await stored(lambda: scripts.latest(pairs.name))
            if latest is not None:
                order = ScriptOrder(
                    *(pairs.name, pairs.inputs, latest.text, latest.version),
                    is_attended=self._are_attended,
                )
                return attrs.evolve(assignment, script=order)
            recorder = await stored(lambda: scripts.recorder(pairs.name, task_id))
            if recorder in {task_id, None}:
                return attrs.evolve(assignment, script=ScriptOrder(pairs.name, pairs.inputs))
            await self._end_of(str(recorder))

    async def _end_of(self, task_id: str) -> None:
        """Wait until something has happened to a task, or might have."""
        with self._changes.listening(task_id) as changed:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await changed.wait()
            except TimeoutError:
                return
