"""Checks of webhooks: the events of one task, their signatures, and their repetitions."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any

import attrs
from aiohttp import web

from browser_use_async.errors import ConfigurationError, WebhookVerificationError
from browser_use_async.webhooks import verify
from tests.proofs.conformance.statements.probe import (
    DeviationError,
    NotApplicableError,
    Probe,
    Reply,
    check,
    require,
)
from tests.proofs.conformance.statements.shapes import EVENT, WEBHOOK_STATUSES, mismatch

_SECTION = "Webhooks"
_METADATA = {"team": "Zürich 🎉"}
_TEST = {"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}
_POLL_SECONDS = 0.05
_MAX_DELIVERIES = 1000  # of all senders


@attrs.frozen
class Delivery:
    """One request of the server."""

    body: bytes
    headers: Mapping[str, str] = attrs.field(repr=False)

    @property
    def event(self) -> Any:
        """The body as JSON; an empty object if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return {}

    @property
    def payload(self) -> Mapping[str, Any]:
        """The payload of the event; empty if it has none."""
        event = self.event
        payload = event.get("payload") if isinstance(event, dict) else None
        return payload if isinstance(payload, dict) else {}


class Deliveries:
    """A receiver, and all that it has received about one task."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.received: list[Delivery] = []
        self.task_id = ""
        self.url = ""
        self._has_refused = False
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            ConfigurationError: The address cannot be listened on.
        """
        application = web.Application()
        application.router.add_post("/{path:.*}", self._receive)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {host} port {port}: {error}") from error
        self.url = f"http://{host}:{self._runner.addresses[0][1]}/conform"

    async def _receive(self, request: web.Request) -> web.Response:
        if len(self.received) >= _MAX_DELIVERIES:
            return web.Response(status=503)
        delivery = Delivery(await request.read(), dict(request.headers))
        self.received.append(delivery)
        if self.is_end(delivery) and not self._has_refused:
            # Once, to see whether the end is delivered again.
            self._has_refused = True
            return web.Response(status=500)
        return web.Response()

    def is_end(self, delivery: Delivery) -> bool:
        """Whether a delivery reports that the task of the checks has finished."""
        payload = delivery.payload
        return payload.get("task_id") == self.task_id and payload.get("status") == "finished"

    @property
    def of_task(self) -> list[Delivery]:
        """What was delivered about the task of the checks, in order."""
        return [each for each in self.received if each.payload.get("task_id") == self.task_id]

    async def until_ends(self, count: int, seconds: float) -> bool:
        """Wait until the end of the task was delivered this many times; whether it was."""
        try:
            async with asyncio.timeout(seconds):
                while sum(map(self.is_end, self.received)) < count:  # noqa: ASYNC110 - a poll is enough
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()


async def _deliveries(probe: Probe) -> Deliveries:
    """Run a task while events are received, once for all checks."""
    if isinstance(probe.deliveries, NotApplicableError | DeviationError):
        raise probe.deliveries
    if probe.deliveries is None:
        try:
            probe.deliveries = await _receive_one_task(probe)
        except (NotApplicableError, DeviationError) as error:
            probe.deliveries = error
            raise
    received: Deliveries = probe.deliveries
    # The answer to run-task does not explain an event.
    last = received.received[-1] if received.received else Delivery(b"nothing", {})
    probe.last = Reply("webhook", 0, last.headers, last.body)
    return received


async def _receive_one_task(probe: Probe) -> Deliveries:
    given = probe.settings.webhook_secret
    deliveries = Deliveries(given or secrets.token_urlsafe(24))
    registered = None
    try:
        await deliveries.start(*probe.settings.webhook_address)
        if given is None:
            registered = await _register(probe, deliveries)
        deliveries.task_id = await probe.create_task(metadata=_METADATA)
        task = await probe.ended(deliveries.task_id)
        if task["status"] != "finished":
            raise NotApplicableError(f"needs a task that finishes, and --task {task['status']}")
        # Twice, since the first is refused.
        await deliveries.until_ends(2, probe.settings.task_seconds)
    finally:
        if registered is not None:
            await probe.call("DELETE", registered, headers=_key_of(probe))
        await deliveries.aclose()
    return deliveries


async def _register(probe: Probe, deliveries: Deliveries) -> str:
    """Register the receiver by the administration of the bundled server; gives its URL there."""
    url = f"{probe.server_url}/admin/webhooks"
    body = {"url": deliveries.url, "secret": deliveries.secret}
    reply = await probe.call("POST", url, body, headers=_key_of(probe))
    if reply.status in {401, 403, 404, 405}:
        raise NotApplicableError(
            "this server takes no webhooks from here; register one with it, and pass "
            "--webhook-listen and --webhook-secret-file"
        )
    return f"{url}/{reply.has({'id': str})['id']}"


def _key_of(probe: Probe) -> dict[str, str]:
    return {"Authorization": f"Bearer {probe.settings.api_key}"}


@check(_SECTION, "a new webhook gets the documented test event")
async def _test_event(probe: Probe) -> None:
    deliveries = await _deliveries(probe)
    if probe.settings.webhook_secret is not None:
        raise NotApplicableError("the webhook was registered before")
    first = deliveries.received[:1]
    require(first and first[0].event == _TEST, "the first event is not the test event")


@check(_SECTION, "the status events of a task come in order, with its metadata")
async def _status_events(probe: Probe) -> None:
    deliveries = await _deliveries(probe)
    require(deliveries.of_task, "nothing was delivered about the task")
    for each in deliveries.of_task:
        if (problem := mismatch(each.event, EVENT)) is not None:
            raise DeviationError(problem)
        require(each.event["type"] == "agent.task.status_update", f"type is {each.event['type']}")
        pairs = each.payload["metadata"] or {}
        require(pairs.items() >= _METADATA.items(), "the metadata of the task is missing")
    statuses = list(dict.fromkeys(each.payload["status"] for each in deliveries.of_task))
    strange = [status for status in statuses if status not in WEBHOOK_STATUSES]
    require(not strange, f"{', '.join(strange)} is none of the five statuses")
    due = ["initializing", "started", "finished"]
    require(statuses == due, f"the events are {', '.join(statuses)}, and {', '.join(due)} are due")


@check(_SECTION, "every event is signed over its whole body")
async def _signatures(probe: Probe) -> None:
    deliveries = await _deliveries(probe)
    for each in deliveries.received:
        try:
            verify(each.body, each.headers, deliveries.secret)
        except WebhookVerificationError as error:
            raise DeviationError(str(error)) from error


@check(_SECTION, "an event that is answered with 500 is delivered again")
async def _retries(probe: Probe) -> None:
    deliveries = await _deliveries(probe)
    ends = sum(map(deliveries.is_end, deliveries.received))
    require(ends >= 2, "it is not")
