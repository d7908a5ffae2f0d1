"""The executor itself: plan, journey, answer."""

from collections.abc import AsyncIterator

import attrs

from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.pace import DeadEndError
from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.executors.reader.answer import NoAnswerError, answer
from browser_use_async.server.executors.reader.export import NothingToExportError
from browser_use_async.server.executors.reader.journey import Journey
from browser_use_async.server.executors.reader.plan import Plan, PlanRefusedError, read_task
from browser_use_async.server.executors.reader.schema import SchemaRefusedError
from browser_use_async.server.html.page import shorten
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.http_client import HttpClient
from browser_use_async.server.worker import WorkRefusedError, in_worker

_REASONS = (DeadEndError, NoAnswerError, NothingToExportError, PlanRefusedError, SchemaRefusedError)
_SHOWN_CHARACTERS = 800


class ReaderExecutor:
    """Opens the pages that a task names, follows the links it names, and answers from them.

    It works by fixed rules and says so. It does not use forms, does not run scripts, and fails
    with a reason where its rules end.
    """

    name = "rule-based reader"

    def __init__(self, egress: Egress | None = None) -> None:
        self._egress = egress or Egress(allow_named_addresses=True)

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        client = HttpClient(self._egress.policy(assignment))
        journey = Journey(self.name, assignment, client, control)
        try:
            plan = await _understood(assignment)
            for action in plan.actions:
                step = await journey.take(action)
                if step is not None:
                    yield step
            evaluation = await journey.begin_step()
            schema = assignment.structured_output_json
            finished = await answer(journey.answering, plan, schema)
            shown = shorten(finished.output or "", _SHOWN_CHARACTERS)
            yield Step("Compose the answer", evaluation, journey.url, text=shown)
            yield attrs.evolve(finished, cookies=journey.cookies)
        except PageNotOpenedError as error:
            yield Failed(error.reason, error.url)
        except _REASONS as error:
            yield Failed(str(error), journey.url)

    async def aclose(self) -> None:
        """Nothing is shared between tasks."""


async def _understood(assignment: Assignment) -> Plan:
    """The plan of a task, made in a worker, as is everything that comes of the text of others."""
    names = list(assignment.files)
    try:
        return await in_worker(read_task, assignment.task, names, assignment.structured_output_json)
    except WorkRefusedError as error:
        raise PlanRefusedError(f"Understanding the task {error}.") from error
