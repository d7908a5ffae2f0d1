"""Scripts by name, in immutable versions, with counts of their plays."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from browser_use_async.server.records import ScriptOutcome
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.rows import to_text

MOST_FIRST_RUNS = 2
"""How many tasks try to record a script one after another; then no task waits."""

MOST_VERSIONS = 50
"""How many versions of a script are kept; a new one drops the oldest."""

_COLUMNS = (
    "name, version, text, origin, task_id, made_at, plays, failures, steps, model_calls, healed"
)


class Origin(StrEnum):
    """Where a version of a script comes from."""

    RECORDED = "recorded"  # the actions of a task
    HEALED = "healed"  # an earlier version, repaired by a task that played it
    EDITED = "edited"  # changes of a person
    LOADED = "loaded"  # a file of the operator


class ScriptVersion(NamedTuple):
    """One version of a script, and the counts of its plays."""

    name: str
    version: int
    text: str
    origin: str
    task_id: str | None  # the task that created it, if any
    made_at: str
    plays: int = 0  # tasks that played it to their end
    failures: int = 0  # tasks that it could not finish
    steps: int = 0  # steps that were played
    model_calls: int = 0
    healed: int = 0  # steps that were repaired


class ScriptStore(Owned):
    """The scripts of one owner."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def latest(self, name: str) -> ScriptVersion | None:
        """Return the latest version of a script, or None."""
        found = await self._find("name = :name ORDER BY version DESC LIMIT 1", name=name)
        return found[0] if found else None

    async def version(self, name: str, number: int) -> ScriptVersion | None:
        """Return one version, or None."""
        found = await self._find("name = :name AND version = :version", name=name, version=number)
        return found[0] if found else None

    async def versions(self, name: str) -> list[ScriptVersion]:
        """Return all versions, the latest first."""
        return await self._find("name = :name ORDER BY version DESC", name=name)

    async def all(self) -> list[ScriptVersion]:
        """Return the latest versions of all scripts by name, with counts of all their versions."""
        found = await self._find("1 = 1 ORDER BY name, version")
        latest: dict[str, ScriptVersion] = {}
        for each in found:
            before = latest.get(each.name)
            latest[each.name] = each if before is None else each._replace(
                plays=before.plays + each.plays,
                failures=before.failures + each.failures,
                steps=before.steps + each.steps,
                model_calls=before.model_calls + each.model_calls,
                healed=before.healed + each.healed,
            )  # fmt: skip
        return [*latest.values()]

    async def put(self, name: str, text: str, origin: Origin) -> ScriptVersion:
        """Add a version, unless its text equals the latest one; returns the latest."""
        while True:
            before = await self.latest(name)
            if before is not None and before.text == text:
                return before
            version = 1 if before is None else before.version + 1
            await _add(self._database, self.owner, name, version, text, origin, self._moment())
            added = await self.version(name, version)
            # Another writer may have been first; its version then precedes this one.
            if added is not None and added.text == text:
                return added

    async def delete(self, name: str) -> bool:
        """Delete all versions; returns whether there were any."""

        async def work(at: Database) -> bool:
            await at.delete("script_recordings", owner=self.owner, name=name)
            return await at.delete("scripts", owner=self.owner, name=name)

        return await self._database.transact(work)

    async def recorder(self, name: str, task_id: str) -> str | None:
        """Return the task that records a script; this task becomes it if there is none.

        Returns None if several tasks have tried, so that no task waits any more.
        """
        values = {"owner": self.owner, "name": name, "task_id": task_id, "tries": 1}

        async def work(at: Database) -> str | None:
            await at.insert("script_recordings", values, "ON CONFLICT DO NOTHING")
            other, tries = (
                await at.rows(
                    "SELECT task_id, tries FROM script_recordings WHERE owner = :owner AND "
                    f"name = :name {at.lock}",
                    owner=self.owner,
                    name=name,
                )
            )[0]
            if other == task_id:
                return task_id
            is_over = await at.value(
                "SELECT finished_at IS NOT NULL FROM tasks WHERE id = :id", id=other
            )
            if is_over is not None and not is_over:
                return str(other) if tries <= MOST_FIRST_RUNS else None
            await at.update(
                "script_recordings", {"task_id": task_id, "tries": tries + 1},
                owner=self.owner, name=name,
            )  # fmt: skip
            return task_id if tries < MOST_FIRST_RUNS else None

        return await self._database.transact(work)

    async def _find(self, condition: str, **values: object) -> list[ScriptVersion]:
        rows = await self._database.rows(
            f"SELECT {_COLUMNS} FROM scripts WHERE owner = :owner AND {condition}",
            owner=self.owner,
            **values,
        )
        return [ScriptVersion._make(each) for each in rows]

    def _moment(self) -> str:
        return self._now().isoformat()


async def keep_outcome(
    at: Database, owner: str, task_id: str, outcome: ScriptOutcome, moment: str, *, failed: bool
) -> None:
    """Store the play or the recording of a task's script, in the transaction that ends the task.

    If another task has created a version from the same one meanwhile, this version is dropped.
    """
    if outcome.text:
        origin = Origin.HEALED if outcome.version else Origin.RECORDED
        version = outcome.version + 1
        await _add(at, owner, outcome.name, version, outcome.text, origin, moment, task_id=task_id)
    if outcome.version:
        counts = {
            "plays": int(not failed),
            "failures": int(failed),
            "steps": outcome.played,
            "model_calls": outcome.model_calls,
            "healed": outcome.healed,
        }
        changes = ", ".join(f"{name} = {name} + :{name}" for name in counts)
        await at.rows(
            f"UPDATE scripts SET {changes} WHERE owner = :owner AND name = :name AND "
            "version = :version",
            owner=owner,
            name=outcome.name,
            version=outcome.version,
            **counts,
        )


async def _add(
    at: Database,
    owner: str,
    name: str,
    version: int,
    text: str,
    origin: Origin,
    moment: str,
    *,
    task_id: str | None = None,
) -> None:
    values = {
        "owner": owner,
        "name": name,
        "version": version,
        "text": to_text(text),
        "origin": str(origin),
        "task_id": task_id,
        "made_at": moment,
    }
    await at.insert("scripts", values, "ON CONFLICT DO NOTHING")
    await at.rows(
        "DELETE FROM scripts WHERE owner = :owner AND name = :name AND version <= :oldest",
        owner=owner,
        name=name,
        oldest=version - MOST_VERSIONS,
    )
