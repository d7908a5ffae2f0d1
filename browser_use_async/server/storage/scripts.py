"""Scripts by name, in immutable versions, with counts of their plays."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import attrs

from browser_use_async.server.records import ScriptOutcome
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.table import Table

MOST_FIRST_RUNS = 2
"""How many tasks try to record a script one after another; then no task waits."""

MOST_VERSIONS = 50
"""How many versions of a script are kept; a new one drops the oldest."""

MOST_NAMES = 1_000
"""How many scripts an owner may have."""

BEGINNING = 4_000
"""How many characters of each text a list of scripts reads: its head has the inputs."""

_COUNTS = ("plays", "failures", "steps", "model_calls")


class Origin(StrEnum):
    """Where a version of a script comes from."""

    RECORDED = "recorded"  # the actions of a task
    EDITED = "edited"  # changes of a person
    LOADED = "loaded"  # a file of the operator


@attrs.frozen
class ScriptVersion:
    """One version of a script, and the counts of its plays."""

    name: str
    version: int
    text: str
    origin: str
    task_id: str | None  # the task that created it, if any
    made_at: datetime
    plays: int = 0  # tasks that played it to their end
    failures: int = 0  # tasks that it could not finish
    steps: int = 0  # steps that were played
    model_calls: int = 0


_SCRIPTS = Table("scripts", ScriptVersion)
# Without their texts, which are up to 100,000 characters each.
_FACTS = Table("scripts", ScriptVersion, renamed={"text": "''"})
_SUMS = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in _COUNTS)
_LATEST = f"""SELECT name, version, SUBSTR(text, 1, {BEGINNING}), origin, task_id, made_at,
    {", ".join(f"sums.{name}" for name in _COUNTS)} FROM scripts JOIN (
    SELECT name AS script, MAX(version) AS latest, {_SUMS} FROM scripts
    WHERE owner = :owner GROUP BY name
) AS sums ON name = sums.script AND version = sums.latest WHERE owner = :owner ORDER BY name"""


class ScriptStore(Owned):
    """The scripts of one owner."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def latest(self, name: str) -> ScriptVersion | None:
        """Return the latest version of a script, or None."""
        condition = "owner = :owner AND name = :name ORDER BY version DESC LIMIT 1"
        return await _SCRIPTS.first(self._database, condition, owner=self.owner, name=name)

    async def version(self, name: str, number: int) -> ScriptVersion | None:
        """Return one version, or None."""
        return await _SCRIPTS.first(self._database, owner=self.owner, name=name, version=number)

    async def versions(self, name: str) -> list[ScriptVersion]:
        """Return all versions without their texts, the latest first."""
        condition = "owner = :owner AND name = :name ORDER BY version DESC"
        return await _FACTS.find(self._database, condition, owner=self.owner, name=name)

    async def all(self) -> list[ScriptVersion]:
        """Return the latest version of each script with counts of all; its text is cut."""
        rows = await self._database.rows(_LATEST, owner=self.owner)
        return [_FACTS.read(row) for row in rows]

    async def refusal(self, name: str) -> str | None:
        """Why the owner may have no script of this name, or None."""
        return await _refusal(self._database, self.owner, name)

    async def put(self, name: str, text: str, origin: Origin) -> ScriptVersion:
        """Add a version, unless its text equals the latest one; returns the latest."""
        while True:
            before = await self.latest(name)
            if before is not None and before.text == text:
                return before
            version = 1 if before is None else before.version + 1
            new = ScriptVersion(name, version, text, str(origin), None, self._now())
            await _add(self._database, self.owner, new)
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


async def keep_outcome(
    at: Database, owner: str, task_id: str, outcome: ScriptOutcome, now: datetime, *, failed: bool
) -> None:
    """Store the play or the recording of a task's script, in the transaction that ends the task.

    If another task has created a version from the same one meanwhile, this version is dropped.
    """
    # Tasks that began before may have recorded as many scripts as there may be.
    if outcome.text and await _refusal(at, owner, outcome.name) is None:
        version = outcome.version + 1
        new = ScriptVersion(outcome.name, version, outcome.text, str(Origin.RECORDED), task_id, now)
        await _add(at, owner, new)
    if outcome.version:
        counts = (int(not failed), int(failed), outcome.played, outcome.model_calls)
        changes = ", ".join(f"{name} = {name} + :{name}" for name in _COUNTS)
        await at.rows(
            f"UPDATE scripts SET {changes} WHERE owner = :owner AND name = :name AND "
            "version = :version",
            owner=owner,
            name=outcome.name,
            version=outcome.version,
            **dict(zip(_COUNTS, counts, strict=True)),
        )


async def _refusal(at: Database, owner: str, name: str) -> str | None:
    statement = "SELECT COUNT(DISTINCT name) FROM scripts WHERE owner = :owner AND name <> :name"
    if await at.value(statement, owner=owner, name=name) < MOST_NAMES:
        return None
    return f"there are {MOST_NAMES:,} scripts of this key already, which are the most"


async def _add(at: Database, owner: str, new: ScriptVersion) -> None:
    await _SCRIPTS.insert(at, new, "ON CONFLICT DO NOTHING", owner=owner)
    await at.rows(
        "DELETE FROM scripts WHERE owner = :owner AND name = :name AND version <= :oldest",
        owner=owner,
        name=new.name,
        oldest=new.version - MOST_VERSIONS,
    )
