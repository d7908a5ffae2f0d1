"""The traces of a batch in PostgreSQL: a trigger records the change of a row by each statement.

It needs no process, so that a late statement of a killed process is recorded, too.
"""

from collections.abc import Iterable

import attrs
import psycopg

from browser_use_async.batch.postgres.schema import HANDED_OUT
from browser_use_async.postgres.connection import literal
from browser_use_async.server.storage import TaskRecord
from tests.model.traces import Event, Traces, What

_TRIGGER = f"""
CREATE TABLE trace (
    number BIGSERIAL, at DOUBLE PRECISION, key TEXT, owner TEXT, what TEXT, state TEXT
);
CREATE FUNCTION trace_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what TEXT;
BEGIN
    IF NEW.queue_state = {HANDED_OUT} AND OLD.claim IS DISTINCT FROM NEW.claim THEN
        what := 'CLAIMED';
    ELSIF NEW.state = 'intent' AND OLD.attempts <> NEW.attempts THEN
        what := 'INTENT';
    ELSIF NEW.state = OLD.state THEN
        RETURN NULL;
    ELSE
        what := CASE NEW.state
            WHEN 'new' THEN 'NOT_CREATED'
            WHEN 'intent' THEN 'INTENT'
            WHEN 'submitted' THEN 'SUBMITTED'
            WHEN 'unknown' THEN 'DOUBTED'
            ELSE 'ENDED'
        END;
    END IF;
    INSERT INTO trace (at, key, owner, what, state) VALUES (
        extract(epoch FROM clock_timestamp()), NEW.key, NEW.owner, what, NEW.state
    );
    RETURN NULL;
END $$;
CREATE TRIGGER trace AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION trace_row();
"""


def install(connection: psycopg.Connection) -> None:
    """Record the changes of the items of a batch from now on."""
    with connection.transaction():
        connection.execute(literal(_TRIGGER))


@attrs.define
class _Owners:
    """Gives each owner of an item one of the two places that the model has for workers."""

    current: str | None = None
    former: str | None = None
    place: int = 1

    def place_of(self, owner: str) -> tuple[int, bool]:
        """The place, and whether another process had it before."""
        if owner == self.current:
            return self.place, False
        self.place = 1 - self.place
        is_new = self.former is not None and owner != self.former
        self.current, self.former = owner, self.current
        return self.place, is_new


def read(connection: psycopg.Connection, tasks: Iterable[TaskRecord]) -> Traces:
    """Read the changes of the items of a batch, and the tasks that were created for them."""
    found: list[tuple[float, int, str, str | None, What, str]] = [
        (at, number, key, owner, What[what], state)
        for at, number, key, owner, what, state in connection.execute(
            "SELECT at, number, key, owner, what, state FROM trace"
        )
    ]
    found += [
        (task.created_at.timestamp(), 0, task.metadata["item"], None, What.MADE, "")
        for task in tasks
    ]
    traces, owners = Traces(), dict[str, _Owners]()
    for at, _number, key, owner, what, state in sorted(found, key=lambda each: each[:2]):
        worker = 0
        if owner is not None:
            worker, is_new = owners.setdefault(key, _Owners()).place_of(owner)
            if is_new:
                # Which of the two places it is makes no difference to the model.
                traces.add(key, Event(at=at, what=What.KILLED, worker=worker))
                traces.add(key, Event(at=at, what=What.BEGAN, worker=worker))
        traces.add(key, Event(at=at, what=what, worker=worker, row=state))
    return traces
