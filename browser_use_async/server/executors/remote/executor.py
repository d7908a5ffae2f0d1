"""Executor that has the hosted service carry out the tasks of this server."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import (
    Control,
    DurableExecutor,
    FieldProblem,
    RemoteAccount,
)
from browser_use_async.server.executors.remote import client
from browser_use_async.server.executors.remote.account import AccountReader, RemoteProfiles
from browser_use_async.server.executors.remote.requests import misfits
from browser_use_async.server.executors.remote.results import News, Results
from browser_use_async.server.executors.remote.run import RemoteRun, follow
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.server.records import Assignment, Failed, Finished, RemoteTask, Step
from browser_use_async.types import TaskStatus

_logger = logging.getLogger(__name__)

_STRICT = "; serve --cloud-lenient leaves it out"
_LOST_SECRETS = (
    "The server was restarted before the task was sent to the service, and its secrets were not "
    "kept: the server's database keeps them only under BROWSER_USE_SERVER_KEY"
)
_WITHHELD = (
    "The server was restarted while the service did the task, and its secrets were not kept, so "
    "that they cannot be blotted out: what the service reports is withheld. Under "
    "BROWSER_USE_SERVER_KEY the server's database keeps them"
)
_PROFILE_SECONDS = 10.0  # until a change of a profile fails for want of an answer
_STOP_SECONDS = 5.0  # for stops that are under way when the server closes


@attrs.define(eq=False)
class _StoredTask:
    """The record of one remote task, each change of which is stored."""

    remote: RemoteTask
    control: Control

    async def save(self, **changes: Any) -> None:
        """Store fields of `RemoteTask`, if they are new."""
        remote = attrs.evolve(self.remote, **changes)
        if remote != self.remote:
            self.remote = remote
            await self.control.remember(remote)


class CloudExecutor(DurableExecutor):
    """Has the hosted service carry out tasks, and keeps what they leave behind.

    Each task is paid once: an empty workspace is created first and stored, the create that costs
    money names it, and after a lost answer or a restart the service is asked for its runs.
    """

    name = "hosted service, API v4"
    reports_start = True  # a task waits at the service
    pause_refusal = "The hosted service cannot pause a task; it can only be stopped"

    def __init__(self, settings: CloudSettings | None = None) -> None:
        self._settings = (settings or CloudSettings()).checked()
        self._client = client.CloudClient(self._settings)
        self._account = AccountReader(self._client)
        self._profiles = RemoteProfiles(self._client)
        self._stops: set[asyncio.Task[None]] = set()

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """Return a setting that the service does not have, or None."""
        for each in misfits(assignment, self._settings):
            if not each.is_harmless:
                return each
            if not self._settings.is_lenient:
                return attrs.evolve(each, message=each.message + _STRICT)
        return None

    def _run_of(self, assignment: Assignment) -> RemoteRun:
        identity = dict(assignment.remote.identity)
        return RemoteRun(self._client, self._profiles, assignment, identity)

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncGenerator[Step | Finished | Failed]:
        """Carry out one task, or continue one after a restart."""
        run = self._run_of(assignment)
        stored = _StoredTask(assignment.remote, control)
        is_over = False
        try:
            await self._obtain(run, assignment, stored)
            async with aclosing(self._follow(run, assignment, stored)) as items:
                async for item in items:
                    is_over = not isinstance(item, Step)
                    yield item
        except client.CloudError as error:
            yield Failed(self._reason(error, run))
        except client.ODD_ANSWERS as error:
            yield Failed(self._reason(client.OddAnswerError(error), run))
        finally:
            if control.is_left_alone:
                await stored.save(identity=dict(run.identity))  # if it came while all was closing
            elif not is_over:
                self._stop_later(run, stored)
            self._client.rate_limiter.free_slot()

    async def aclose(self) -> None:
        """Let stops that are under way reach the service, and close the connections."""
        if self._stops:
            _, late = await asyncio.wait(self._stops, timeout=_STOP_SECONDS)
            for each in late:
                _logger.error("%s was not stopped there before the server closed", each.get_name())
                each.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._account.aclose()
        await self._client.aclose()

    async def account(self) -> RemoteAccount:
        """The credit of the service's account."""
        return await self._account.read()

    async def rename_profile(self, profile_id: str, name: str) -> str | None:
        """Rename the profile there."""
        return await _problem_of(self._profiles.rename(profile_id, name), "rename")

    async def delete_profile(self, profile_id: str) -> str | None:
        """Delete the profile there, and its logins."""
        return await _problem_of(self._profiles.delete(profile_id), "delete")

    # --- paying once ----------------------------------------------------------------------

    async def _obtain(self, run: RemoteRun, assignment: Assignment, stored: _StoredTask) -> None:
        """Have the task created on the service, once."""
        if run.is_created:
            return
        if run.has_workspace and await run.find():  # sent before a restart, perhaps
            await stored.save(identity=dict(run.identity))
            return
        if assignment.lost_secrets:
            raise client.CloudError(_LOST_SECRETS)
        if not run.has_workspace:
            await run.create_workspace()
            # Stored before the paid create: whatever dies after this can ask.
            await stored.save(identity=dict(run.identity))
        await run.prepare()
        while not run.is_created:
            try:
                await run.create()
            except client.NoAnswerError:
                await run.find()
        await stored.save(identity=dict(run.identity))

    # --- following ------------------------------------------------------------------------

    async def _follow(
        self, run: RemoteRun, assignment: Assignment, stored: _StoredTask
    ) -> AsyncGenerator[Step | Finished | Failed]:
        if assignment.is_shared and stored.remote.share_url is None:
            await stored.save(share_url=await self._shared(run))
        note = self._note(assignment)
        async with aclosing(follow(run, self._settings.poll_seconds)) as looks:
            async for news in looks:
                if news.live_url is not None:
                    await stored.save(live_url=news.live_url)
                if news.status is not TaskStatus.CREATED:
                    stored.control.started()
                if news.cents is not None:
                    await stored.control.charge(news.cents)
                for step in () if assignment.lost_secrets else news.steps:
                    words = " ".join(filter(None, (note, step.evaluation_previous_goal)))
                    yield attrs.evolve(step, evaluation_previous_goal=words)
                    note = ""
                    stored.control.doing(step.next_goal)
                if news.status.is_terminal:
                    results = await run.results()
                    if results.cents is not None:
                        await stored.control.charge(results.cents)
                    await stored.save(is_over=True)
                    if assignment.lost_secrets:
                        yield Failed(self._reason(client.CloudError(_WITHHELD), run))
                    else:
                        yield self._end(news, results, note)

    async def _shared(self, run: RemoteRun) -> str | None:
        try:
            return await run.share()
        except client.RefusedError as error:
            _logger.warning("a remote task has no public page of its own: %s", error)
            return None  # then the page of this server is returned

    def _end(self, news: News, results: Results, note: str) -> Finished | Failed:
        """Make the result of a task of the service."""
        if news.status is TaskStatus.FINISHED:
            return Finished(results.output, results.files, recordings=results.recordings)
        said = f"; the service says: {news.reason}" if news.reason else ""
        what = "The task failed on the hosted service"
        if news.status is TaskStatus.STOPPED:
            what = (
                "The task was stopped on the hosted service, by another client or because of an "
                "error"
            )
        reason = " ".join(filter(None, (note, what + said + self._spent(results.cents))))
        return Failed(reason, recordings=results.recordings, files=results.files)

    def _spent(self, cents: Decimal | None) -> str:
        """Return a clause about the cost of a task, if it reached the operator's limit."""
        bound = self._settings.max_cost_usd
        if bound is None or cents is None or cents < Decimal(str(bound)) * 100:
            return ""
        dollars = (cents / 100).normalize()
        return f". It has cost {dollars:f} US dollars; --cloud-max-cost-usd allows {bound}"

    def _note(self, assignment: Assignment) -> str:
        found = misfits(assignment, self._settings)
        left_out = [f"{each.field} ({each.message})" for each in found]
        return f"Left out: {'; '.join(left_out)}." if left_out else ""

    def _reason(self, error: Exception, run: RemoteRun) -> str:
        if not run.identity:
            return str(error)
        known = ", ".join(f"{name} {value}" for name, value in run.identity.items())
        return f"{error}. The service knows the task as {known}"

    # --- stopping -------------------------------------------------------------------------

    def stop(self, assignment: Assignment, control: Control) -> None:
        """Stop what was not stopped before a restart."""
        self._stop_later(self._run_of(assignment), _StoredTask(assignment.remote, control))

    def _stop_later(self, run: RemoteRun, stored: _StoredTask) -> None:
        """Stop it there in the background."""
        if not run.has_workspace:
            return
        work = asyncio.get_running_loop().create_task(
            self._stop(run, stored), name=f"browser-use: stops remote task {run.identity}"
        )
        self._stops.add(work)
        work.add_done_callback(self._stops.discard)

    async def _stop(self, run: RemoteRun, stored: _StoredTask) -> None:
        try:
            if not run.is_created:
                await run.find()  # its create may have been on its way
            cents: Decimal | None = await run.stop()
        except (client.CloudError, *client.ODD_ANSWERS) as error:
            _logger.error("a remote task was not stopped: %s", self._reason(error, run))  # noqa: TRY400
        else:
            if cents is not None:
                await stored.control.charge(cents)
        # Also where the service says no: it would say the same after each restart.
        await stored.save(identity=dict(run.identity), is_over=True)


async def _problem_of(change: Awaitable[None], verb: str) -> str | None:
    """Return why a profile of the service could not be changed, or None."""
    try:
        async with asyncio.timeout(_PROFILE_SECONDS):
            await change
    except (client.CloudError, *client.ODD_ANSWERS) as error:
        return f"the hosted service did not {verb} its own. {error}"
    except TimeoutError:
        return "the hosted service gives no answer"
    return None
