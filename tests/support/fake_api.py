"""A small Cloud API v1 in the test's own loop, whose tasks live by the loop's clock.

It is written apart from the bundled server, and can be made to misbehave: faults by route and
number, lost answers before and after the work was done, latency, lists that lag. It runs on
aiohttp's server over real sockets, which the simulator and the chaos bench, with machines that
crash and a network in memory, cannot use; so these have models of their own.
"""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from tests.support.fake_task import TERMINAL, FakeTask

__all__ = ["LOST_AFTER", "LOST_BEFORE", "Call", "FakeApi", "FakeTask", "Fault"]


@attrs.frozen
class Fault:
    """What happens to a call instead of, or on top of, what it asks for.

    Attributes:
        status: The answer's status; None keeps the true answer.
        body: The answer's body.
        headers: The answer's headers.
        delay: Seconds before anything happens.
        stall: Seconds between the work and the answer.
        cut: Whether the connection breaks instead of an answer.
        done: Whether the call is carried out all the same.
        done_after: Carried out so many seconds later, whatever the caller was told.
    """

    status: int | None = None
    body: str = '{"detail": "a fault"}'
    headers: Mapping[str, str] = attrs.field(factory=dict)
    delay: float = 0.0
    stall: float = 0.0
    cut: bool = False
    done: bool = False
    done_after: float | None = None


LOST_AFTER = Fault(cut=True, done=True)
"""The call is carried out, and its answer is lost."""

LOST_BEFORE = Fault(cut=True)
"""The call is lost before it is carried out."""


@attrs.frozen
class Call:
    """One request that came.

    Attributes:
        at: The loop time at which it came.
        route: `run`, `status`, `get`, `list`, `stop`, `pause`, `resume` or `ping`.
        number: The how-manieth of its route it was, counted from 1.
        task_id: The task that it was about.
        body: What it brought.
    """

    at: float
    route: str
    number: int
    task_id: str | None = None
    body: Any = attrs.field(default=None, repr=False)


FaultOf = Callable[[Call], Fault | None]
ListLies = Callable[[list[FakeTask]], tuple[list[FakeTask], int]]


class FakeApi:
    """The server. Use as an async context manager.

    Attributes:
        tasks: By id, oldest first.
        calls: Every request that came.
        told: The loop times at which answers told where a task stands, by its id.
        next_tasks: What run-task creates, in this order; then `FakeTask()` ones.
        make: Makes the task of a run-task body when `next_tasks` is empty.
        fault: Decides over each call; None for no fault.
        latency: Seconds that every answer takes.
        list_lag: Seconds before a task appears in the list.
        rows_tell_metadata: Whether list rows carry metadata.
        list_lies: Gives the rows to list, and their number, for the true rows.
        page_lies: Gives the rows to show on a page for the true ones.
        page_limit: The largest page.
        in_flight: How many calls are being answered.
        most_in_flight: The most that were.
    """

    def __init__(self) -> None:
        self.tasks: dict[str, FakeTask] = {}
        self.calls: list[Call] = []
        self.told: defaultdict[str, list[float]] = defaultdict(list)
        self.next_tasks: list[FakeTask] = []
        self.make: Callable[[dict[str, Any]], FakeTask] = lambda _body: FakeTask()
        self.fault: FaultOf = lambda _call: None
        self.latency = 0.0
        self.list_lag = 0.0
        self.rows_tell_metadata = True
        self.list_lies: ListLies = lambda rows: (rows, len(rows))
        self.page_lies: Callable[[list[FakeTask]], list[FakeTask]] = lambda rows: rows
        self.page_limit = 100
        self.in_flight = 0
        self.most_in_flight = 0
        self._births = itertools.count()
        self._started = datetime.now(UTC)
        self._numbers: Counter[str] = Counter()
        self._runner: web.AppRunner
        self.url = ""

    # --- for tests --------------------------------------------------------------------------

    def add(self, task: FakeTask | None = None, *, aged: float = 0.0) -> FakeTask:
        """Let a task exist.

        Args:
            task: The task.
            aged: Seconds that it has lived already.
        """
        task = FakeTask() if task is None else task
        task.born = asyncio.get_running_loop().time() - aged
        number = next(self._births)
        task.created_at = self._started + timedelta(seconds=task.born, microseconds=number)
        self.tasks[task.id] = task
        return task

    def only_task(self) -> FakeTask:
        """The task that exists, if it is the only one."""
        (task,) = self.tasks.values()
        return task

    def count(self, *routes: str, task_id: str | None = None) -> int:
        """How many calls came, of these routes or of all."""
        return len(self.times(*routes, task_id=task_id))

    def times(self, *routes: str, task_id: str | None = None) -> list[float]:
        """The loop times at which calls came, of these routes or of all."""
        return [
            call.at
            for call in self.calls
            if (not routes or call.route in routes) and task_id in {None, call.task_id}
        ]

    def break_calls(self, route: str, faults: Mapping[int, Fault]) -> None:
        """Break the calls of a route that have these numbers, counted from 1; 0 breaks all."""

        def fault(call: Call) -> Fault | None:
            return faults.get(call.number, faults.get(0)) if call.route == route else None

        self.fault = fault

    # --- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        application = web.Application()
        prefix = "/api/v1"
        for method, path, route, work in (
            ("POST", "/run-task", "run", self._run),
            ("GET", "/task/{task_id}/status", "status", self._status),
            ("GET", "/task/{task_id}", "get", self._get),
            ("GET", "/tasks", "list", self._list),
            ("PUT", "/stop-task", "stop", self._overrule("stopped")),
            ("PUT", "/pause-task", "pause", self._overrule("paused")),
            ("PUT", "/resume-task", "resume", self._overrule(None)),
            ("GET", "/ping", "ping", lambda _call, _request: web.json_response({})),
        ):
            application.router.add_route(method, prefix + path, self._handler(route, work))
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0.1,
            # Its timer asks the clock again and would spin on a virtual one, which stands still.
            keepalive_timeout=1e9,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{prefix}"
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    # --- answering --------------------------------------------------------------------------

    def _handler(self, route: str, work: Callable[[Call, web.Request], web.Response]) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._numbers[route] += 1
            call = Call(
                asyncio.get_running_loop().time(),
                route,
                self._numbers[route],
                request.match_info.get("task_id") or request.query.get("task_id"),
                await request.json() if request.can_read_body else None,
            )
            self.calls.append(call)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                return await self._answer(call, request, work)
            finally:
                self.in_flight -= 1

        return handle

    async def _answer(
        self, call: Call, request: web.Request, work: Callable[[Call, web.Request], web.Response]
    ) -> web.StreamResponse:
        fault = self.fault(call)
        if seconds := self.latency if fault is None else fault.delay:
            # Else at once: of calls that come together each is judged by what those before did.
            await asyncio.sleep(seconds)
        if fault is None:
            return work(call, request)
        if fault.done_after is not None:
            asyncio.get_running_loop().call_later(fault.done_after, work, call, request)
        whole = fault.status is None and not fault.cut
        answer = work(call, request) if fault.done or whole else None
        await asyncio.sleep(fault.stall)
        if fault.cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault.status is None:
            assert answer is not None
            return answer
        return web.Response(
            status=fault.status,
            text=fault.body,
            headers=fault.headers,
            content_type="application/json",
        )

    def _run(self, call: Call, _request: web.Request) -> web.Response:
        task = self.next_tasks.pop(0) if self.next_tasks else self.make(call.body)
        task.task = call.body["task"]
        task.metadata = dict(call.body.get("metadata") or {})
        self.add(task)
        return web.json_response({"id": task.id})

    def _status(self, call: Call, _request: web.Request) -> web.Response:
        task = self._tell(call.task_id)
        return _missing() if task is None else web.json_response(task.status())

    def _get(self, call: Call, _request: web.Request) -> web.Response:
        task = self._tell(call.task_id)
        return _missing() if task is None else web.json_response(task.whole())

    def _tell(self, task_id: str | None) -> FakeTask | None:
        task = self.tasks.get(task_id or "")
        if task is not None:
            self.told[task.id].append(asyncio.get_running_loop().time())
        return task

    def _list(self, _call: Call, request: web.Request) -> web.Response:
        page = int(request.query.get("page", "1"))
        limit = min(int(request.query.get("limit", "10")), self.page_limit)
        rows = [task for task in reversed(self.tasks.values()) if task.age >= self.list_lag]
        rows, total = self.list_lies(rows)
        rows_of_page = self.page_lies(rows[(page - 1) * limit : page * limit])
        for task in rows_of_page:
            self._tell(task.id)
        shown = [task.row() for task in rows_of_page]
        if not self.rows_tell_metadata:
            shown = [{**row, "metadata": None} for row in shown]
        return web.json_response(
            {
                "tasks": shown,
                "total_pages": -(-len(rows) // limit),
                "page": page,
                "limit": limit,
                "total_count": total,
            }
        )

    def _overrule(self, status: str | None) -> Callable[[Call, web.Request], web.Response]:
        def work(call: Call, _request: web.Request) -> web.Response:
            task = self.tasks.get(call.task_id or "")
            if task is None:
                return _missing()
            if task.status() in TERMINAL:
                return web.json_response({"detail": "Agent session already ended"}, status=400)
            task.overruled = status
            return web.json_response({})

        return work


def _missing() -> web.Response:
    return web.json_response({"detail": "Task not found"}, status=404)
