"""`/healthz` for load balancers, and `/metrics` for monitoring systems."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import attrs
from aiohttp import hdrs, web

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.server.errors import StorageUnavailableError, UnavailableError
from browser_use_async.server.extras import missing_packages
from browser_use_async.server.http.authorization import Authorization
from browser_use_async.server.http.responses import json_response
from browser_use_async.server.keys.api_key import ApiKey, Scope
from browser_use_async.server.loops import Loops
from browser_use_async.server.records import FailureCause
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import Database
from browser_use_async.server.storage.shared_database import Nodes
from browser_use_async.server.storage.tasks import DURATION_BOUNDS, Durations
from browser_use_async.types import TaskStatus

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.metrics_core import Metric

# Seconds that the database has for its answer: probes do not wait longer, either.
_DATABASE_SECONDS = 2.0

MOST_OWNERS = 100
"""How many owners have a label of their own: each is a series of its own to store."""
OTHER_OWNERS = "*"
"""The label of all further owners; no key can have this name."""

_PREFIX = "browser_use_"
_Values = float | Mapping[Any, float]  # the value, or values by the texts of the labels
# By the index of tasks that have not ended, whose number does not grow with all tasks.
_AT_WORK = (
    "SELECT status, COUNT(*), MIN(created_at) FROM tasks WHERE finished_at IS NULL GROUP BY status"
)
_DELIVERIES = "SELECT state, COUNT(*) FROM outbox GROUP BY state"
_BY_SERVER = (
    "SELECT worker, COUNT(*) FROM tasks WHERE finished_at IS NULL AND worker IS NOT NULL "
    "GROUP BY worker"
)
_OLDEST_DELIVERY = "SELECT body FROM outbox WHERE state = 'pending' ORDER BY number LIMIT 1"


@attrs.define(eq=False, repr=False)
class Metrics:
    """Reads the state from the database on request, and counts the work of this process."""

    _server: RunningServer
    _nodes: Nodes  # the servers that share the database
    requests: Counter[str]  # how many requests came, by the name of the operation or page
    _registry: "CollectorRegistry | None" = attrs.field(default=None, init=False)
    # The owners that have labels of their own, for as long as the process lives
    _owners: set[str] = attrs.field(factory=set, init=False)
    # How many requests were answered, by route and status
    answers: Counter[tuple[str, int]] = attrs.field(factory=Counter, init=False)

    async def text(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the form that an `Accept` header asks for, and its media type.

        Raises:
            UnavailableError: The package prometheus_client is not installed, or the database does
                not answer.
        """
        missing = missing_packages("Telling metrics", "prometheus_client")
        if missing is not None:
            raise UnavailableError(missing)
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

        if self._registry is None:
            # A registry of this server: a program may have several servers, and metrics of its own.
            self._registry = CollectorRegistry()
            ProcessCollector(registry=self._registry)
        found = _Collection(
            [*await self._stored(), await self._spent(), *await self._fleet(), *self._counted()]
        )
        self._registry.register(found)
        try:
            encode, media_type = choose_encoder(accept)
            return encode(self._registry), media_type
        finally:
            self._registry.unregister(found)

    async def _stored(self) -> list["Metric"]:
        """The metrics of all servers of the database."""
        database = self._server.stores.database
        tasks = {row[0]: row[1:] for row in await database.rows(_AT_WORK)}
        deliveries = dict(map(tuple, await database.rows(_DELIVERIES)))
        oldest = await database.rows(_OLDEST_DELIVERY)
        queued, since = tasks.get(TaskStatus.CREATED, (0, None))
        event = json.loads(oldest[0][0])["timestamp"] if oldest else None
        return [
            _gauge("tasks_queued", "Tasks that nothing has begun to carry out.", queued),
            _gauge("tasks_oldest_queued_seconds", "Age of the oldest of them.", self._age(since)),
            _gauge("tasks_running", "Tasks at work.", tasks.get(TaskStatus.RUNNING, (0,))[0]),
            _gauge("tasks_paused", "Paused tasks.", tasks.get(TaskStatus.PAUSED, (0,))[0]),
            _gauge(
                "deliveries_pending",
                "Webhook events that are still to be delivered.",
                deliveries.get("pending", 0),
            ),
            _gauge(
                "deliveries_oldest_pending_seconds", "Age of the oldest of them.", self._age(event)
            ),
            _gauge(
                "deliveries_failed",
                "Webhook events that were given up, among the latest that are kept.",
                deliveries.get("failed", 0),
            ),
        ]

    async def _spent(self) -> "Metric":
        """What each owner has spent: from the database, so it outlives all processes."""
        spent = await self._server.stores.account.spent_cents()
        dollars = self._by_owner({(owner,): cents for owner, cents in spent.items()})
        about = "Dollars that an owner has spent on tasks and searches, over all servers."
        return _counter("spent_dollars", about, dollars, "owner")

    def _by_owner(self, cents: Mapping[tuple[str, ...], Decimal]) -> Mapping[Any, float]:
        """Cents in dollars, by labels of which the first is an owner; those beyond are one."""
        sums = defaultdict[tuple[str, ...], Decimal](Decimal)
        for (owner, *others), amount in cents.items():
            if len(self._owners) < MOST_OWNERS:
                self._owners.add(owner)
            sums[owner if owner in self._owners else OTHER_OWNERS, *others] += amount / 100
        return {labels: float(dollars) for labels, dollars in sums.items()}

    async def _fleet(self) -> list["Metric"]:
        """Each server that shares the database and carries out tasks."""
        tasks = dict(map(tuple, await self._server.stores.database.rows(_BY_SERVER)))
        nodes, now = await self._nodes.all(), self._server.settings.now()
        silence = {(each.worker,): (now - each.seen_at).total_seconds() for each in nodes}
        return [
            _gauge(
                "node_slots",
                "Tasks that a server of the fleet can carry out at once.",
                {(node.worker,): node.slots for node in nodes},
                "node",
            ),
            _gauge(
                "node_tasks",
                "Those that it has begun.",
                {(node.worker,): tasks.get(node.worker, 0) for node in nodes},
                "node",
            ),
            _gauge(
                "node_silent_seconds", "Seconds since it said that it is there.", silence, "node"
            ),
        ]

    def _counted(self) -> list["Metric"]:
        """The metrics of this process alone, to be summed over all processes."""
        stores, runner = self._server.stores, self._server.runner
        counts = stores.tasks.counts
        ends = {(str(each),): counts.statuses[each] for each in TaskStatus if each.is_terminal}
        causes = {(str(cause),): counts.failures[cause] for cause in FailureCause}
        replays = {(call,): count for call, count in stores.submission_keys.replays.items()}
        answers = {(name, str(status)): n for (name, status), n in self.answers.items()}
        slots, most = [], self._server.deployment.slots
        if most is not None:  # an executor without a bound has no such numbers
            free = max(0, most - runner.count)
            slots = [
                _gauge("slots", "Tasks that this process can carry out at once.", most),
                _gauge("slots_free", "Those of them that are free.", free),
            ]
        if (browsers := runner.open_browsers) is not None:
            slots.append(_gauge("browsers_open", "Open browsers of this process.", browsers))
        return [
            *slots,
            _counter(
                "task_cost_dollars",
                "Dollars that tasks cost since this process began.",
                self._by_owner({(*labels,): cents for labels, cents in counts.cents.items()}),
                "owner",
                "model",
            ),
            _durations(counts.durations),
            _counter("tasks_created", "Created tasks.", counts.statuses[TaskStatus.CREATED]),
            _counter("tasks_ended", "Ended tasks.", ends, "status"),
            _counter("tasks_failed", "Failed tasks.", causes, "cause"),
            _counter("steps", "Steps of tasks.", counts.steps),
            _counter(
                "replays", "Repeated submissions that were answered as before.", replays, "call"
            ),
            _counter("requests", "Answered requests.", answers, "route", "status"),
        ]

    def _age(self, moment: str | None) -> float:
        begun = None if moment is None else parse_timestamp(moment)
        now = self._server.settings.now()
        return 0.0 if begun is None else max(0.0, (now - begun).total_seconds())

    def add_routes(self, application: web.Application, authorization: Authorization) -> None:
        """Add the routes; the health needs no key, and the metrics need a key with the scope."""

        async def health(_request: web.Request) -> web.Response:
            return await health_response(self._server.stores.database, self._server.loops)

        async def numbers(request: web.Request, _key: ApiKey) -> web.Response:
            body, media_type = await self.text(request.headers.get(hdrs.ACCEPT, ""))
            return web.Response(body=body, headers={hdrs.CONTENT_TYPE: media_type})

        application.router.add_get("/healthz", health, name="healthz")
        # Unlike the routes below /admin for other machines too: it changes nothing and shows no
        # task, and what reads it runs elsewhere.
        guarded = authorization.guard("metrics", [Scope.ADMIN], numbers)
        application.router.add_get("/metrics", guarded, name="metrics")


async def health_response(database: Database, loops: Loops) -> web.Response:
    """Answer 200, or 503 when the database does not answer or the server has lost a loop.

    Anybody may ask, so no details but the names of loops.
    """
    try:
        async with asyncio.timeout(_DATABASE_SECONDS):
            await database.rows("SELECT COUNT(*) FROM server_keys")
    except (StorageUnavailableError, TimeoutError):
        return json_response({"status": "unavailable"}, 503)
    if loops.failing:
        return json_response({"status": "failing", "loops": loops.failing}, 503)
    return json_response({"status": "ok"})


class _Collection:
    """Collects the metrics for a registry."""

    def __init__(self, metrics: Sequence["Metric"]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable["Metric"]:
        return self._metrics


def _gauge(name: str, about: str, values: _Values, *labels: str) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    return _filled(GaugeMetricFamily(_PREFIX + name, about, labels=labels), values)


def _counter(name: str, about: str, values: _Values, *labels: str) -> "Metric":
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415

    return _filled(CounterMetricFamily(_PREFIX + name, about, labels=labels), values)


def _durations(durations: Mapping[TaskStatus, Durations]) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415

    family = HistogramMetricFamily(
        _PREFIX + "task_duration_seconds",
        "Seconds from the creation of a task to its end, pauses and waiting included.",
        labels=["status"],
    )
    bounds = [*map(str, map(float, DURATION_BOUNDS)), "+Inf"]
    for status in filter(lambda each: each.is_terminal, TaskStatus):
        found = durations.get(status, Durations())
        parts = [*zip(bounds, accumulate(found.counts), strict=True)]
        family.add_metric([str(status)], parts, found.seconds)
    return family


def _filled(family: "GaugeMetricFamily | CounterMetricFamily", values: _Values) -> "Metric":
    """A metric with its value, or with those by its labels."""
    for labels, value in ({(): values} if isinstance(values, int | float) else values).items():
        family.add_metric(labels, value)
    return family
