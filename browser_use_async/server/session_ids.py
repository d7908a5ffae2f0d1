"""Ids of browser sessions, of which nothing is stored."""

import uuid

# Any bits but those of a UUID's version and variant, so that both ids are well-formed.
_SESSION_BITS = 0x5E55_1001_0000_0000_0000_5E55_1001_5E55


def session_id_of(task_id: str) -> str | None:
    """Return the id of a task's browser session, or the task of a session; None for other text.

    The hosted service has browser sessions with ids of their own, and programs ask for a task by
    the session that a webhook named. Here each task has one, whose id is the task's with some bits
    inverted: nothing has to be stored, and the same function leads back.
    """
    try:
        return str(uuid.UUID(int=uuid.UUID(task_id).int ^ _SESSION_BITS))
    except ValueError:
        return None
