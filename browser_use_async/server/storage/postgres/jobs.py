"""Jobs of procrastinate, written in the transaction of their tasks and events."""

from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException

from browser_use_async.postgres.jobs import SteadyConnector

QUEUES = {"task": "tasks", "delivery": "webhooks"}
"""The queue of each job."""


def new_app(parameters: dict[str, Any]) -> procrastinate.App:
    """Return the app of the jobs in a database; a server that does jobs opens it."""
    return procrastinate.App(connector=SteadyConnector(parameters))


async def defer(
    app: procrastinate.App,
    connection: psycopg.AsyncConnection,
    job: str,
    lock: str | None,
    behind: int,
    **arguments: Any,
) -> None:
    """Write a job, in the transaction of a connection."""
    options = {
        "queue": QUEUES[job],
        "lock": lock,
        "priority": -behind,
        "connection": connection,
    }
    try:
        await app.configure_task(job, **options, allow_unknown=True).defer_async(**arguments)
    except ConnectorException as error:
        # The transaction recognises outages by psycopg's errors, and is then repeated.
        raise error.__cause__ or error from None
