"""Paying once with a wrong local clock, and with wrong `Date` headers."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.api.submission_token import TOKEN_KEY, SubmissionToken, digest_of
from tests.proofs.world.faults import Ending, Fault, Work
from tests.proofs.world.machines import MachineLaws, MachineWorld
from tests.proofs.world.server import http_date_of
from tests.support import clock
from tests.support.api_bench import resolved
from tests.support.fake_service import EPOCH
from tests.support.network import Machine

WINDOW = 60.0
HOUR, DAY = 3600.0, 86_400.0
SKEWS = (-DAY, -HOUR, -1700.0, 0.0, 1900.0, HOUR, DAY, 365 * DAY)
JUMPS = tuple(itertools.product((0.5, 2.0, 20.0), (-DAY, -HOUR, HOUR, DAY)))
QUIET = MachineLaws(fault_rate=0.0, late=0.0, lag=0.0, window=WINDOW, others=0.0)

ANSWER_LOST = Fault("answer lost", share=0.0, ending=Ending.RST)
ANSWER_LOST_LATE = attrs.evolve(ANSWER_LOST, delay=2.0)
NEVER_CREATED = Fault("never created", work=Work.NEVER, share=0.0, ending=Ending.RST)

_HOURS = itertools.cycle((0, 7, -13, 24, -5))
DATES: dict[str, Callable[[datetime], str | None]] = {
    "none": lambda _now: None,
    "unreadable": lambda _now: "half past nine",
    "a day ahead": lambda now: http_date_of(now + timedelta(days=1)),
    "a day behind": lambda now: http_date_of(now - timedelta(days=1)),
    "another at each answer": lambda now: http_date_of(now + timedelta(hours=next(_HOURS))),
    "stands still": lambda _now: http_date_of(datetime(2024, 1, 1, tzinfo=UTC)),
}


@attrs.define(eq=False)
class Trial:
    """One submission whose answer is lost, among tasks of other clients.

    Attributes:
        knows_time: Whether the server's time is known from earlier responses.
        bare: Whether list rows carry no metadata.
        world: Where it happens.
        sessions: The sessions that were opened.
    """

    knows_time: bool = True
    bare: bool = True
    world: MachineWorld = attrs.field(factory=lambda: MachineWorld(5, QUIET))
    sessions: list[BrowserUseSession] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.world.service.rows_tell_metadata = not self.bare
        self.world.lag = lambda: 0.0
        self.world.server.on_request = self._create_others
        self._create_tasks(20)

    def _create_tasks(self, count: int) -> None:
        for _other in range(count):
            self.world.service.create("theirs")

    def _create_others(self, request: str) -> None:
        if "/run-task" in request:  # right afterwards, so that it is on the second page of the list
            asyncio.get_running_loop().call_later(1.0, self._create_tasks, 101)

    async def session(self, skew: float) -> BrowserUseSession:
        """A session of another process, on the machine, with a clock that is this far ahead."""
        self.set_clock(skew)
        session = self.world.open_session(Machine())
        self.sessions.append(session)
        for _answer in range(2 * self.knows_time):
            await session.ping()
        return session

    def set_clock(self, skew: float) -> None:
        """Set the clock of the machine, for all sessions."""
        self.world.set_clock(timedelta(seconds=skew))

    def lose_answer(self, fault: Fault = ANSWER_LOST) -> None:
        """Let the answer to the next run-task get lost."""
        self.world.faults.script.append(fault)

    def created(self) -> list[str]:
        """The tasks that exist for the submission."""
        return [task.id for task in self.world.service.tasks.values() if task.task == "mine"]

    async def token(self, session: BrowserUseSession) -> str:
        """Submit, give up before the list shows the task, and return the token of the error."""
        lag = self.world.lag
        self.world.lag = lambda: max(lag(), 5.0)
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            await session.run_and_wait("mine", timeout=3.0)
        self.world.lag = lag
        return str(caught.value.submission_token)

    async def close(self) -> None:
        """Close everything that was opened."""
        for session in self.sessions:
            await session.aclose()


async def _resolved(session: BrowserUseSession, token: str) -> str | None:
    found = await resolved(session, token)
    return None if found is None else found.id


Run = Callable[..., Awaitable[list[str | None]]]


def _check(run: Run, options: Iterable[tuple[Any, ...]], rows: tuple[bool, ...] = (True,)) -> None:
    """Try each of these options, with the time known and not, in a world of its own.

    Args:
        run: Returns the result about the only task that may exist.
        options: Arguments of it.
        rows: Whether list rows are bare.
    """

    async def once(knows_time: bool, bare: bool, arguments: tuple[Any, ...]) -> str:
        trial = Trial(knows_time, bare)
        try:
            found = await run(trial, *arguments)
        finally:
            await trial.close()
        created = trial.created()
        right = len(created) == 1 and set(found) == set(created)
        return "" if right else f"found {found} of {created}"

    kinds = itertools.product((True, False), rows, options)
    verdicts = {kind: clock.run(once(*kind)) for kind in kinds}
    assert not {kind: verdict for kind, verdict in verdicts.items() if verdict}


def _each(values: Iterable[Any]) -> list[tuple[Any]]:
    return [(value,) for value in values]


def test_a_lost_submission_is_found_at_every_skew():
    """However wrong the clock is, the task is adopted at once and paid for once."""

    async def run(trial: Trial, skew: float) -> list[str | None]:
        session = await trial.session(skew)
        trial.lose_answer()
        handle = await session.submit("mine")
        assert asyncio.get_running_loop().time() <= 5.0
        return [handle.id]

    _check(run, _each(SKEWS), (True, False))


def test_a_token_resolves_at_every_skew():
    """Given up and then resolved, here and in a process with another wrong clock."""

    async def run(trial: Trial, skew: float) -> list[str | None]:
        session = await trial.session(skew)
        trial.lose_answer()
        token = await trial.token(session)
        other = await trial.session(HOUR - skew)
        return [await _resolved(other, token), await _resolved(session, token)]

    _check(run, _each(SKEWS), (True, False))


@pytest.mark.long
def test_a_token_that_is_resolved_later_finds_its_task():
    """This many hours after the submission, while others went on creating tasks."""

    async def run(trial: Trial, hours: float, skew: float) -> list[str | None]:
        session = await trial.session(skew)
        trial.lose_answer()
        token = await trial.token(session)
        await asyncio.sleep(hours * HOUR)
        await trial.session(0.0)  # whose responses have the time
        trial.world.service.create("theirs")
        other = await trial.session(-skew)
        return [await _resolved(other, token), await _resolved(session, token)]

    _check(run, itertools.product((1.0, 30.0), SKEWS))


@pytest.mark.long
def test_the_rest_of_the_window_is_waited_for_at_every_skew():
    """A task that the list shows late is found: none is reported only after the window."""

    async def run(trial: Trial, skew: float) -> list[str | None]:
        trial.world.lag = lambda: WINDOW - 5.0
        session = await trial.session(skew)
        trial.lose_answer()
        token = await trial.token(session)
        other = await trial.session(-skew)
        return await asyncio.gather(_resolved(other, token), _resolved(session, token))

    _check(run, _each(SKEWS))


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_stamp_that_is_a_day_off_hides_no_task(hours):
    """Its time came from a host of the service with another time than the list."""

    async def run(trial: Trial) -> list[str | None]:
        trial.world.server.date = lambda now: http_date_of(now + timedelta(hours=hours))
        session = await trial.session(0.0)
        trial.lose_answer()
        token = await trial.token(session)
        await asyncio.sleep(25 * HOUR)
        trial.world.server.date = http_date_of
        trial.world.service.create("theirs")
        return [await _resolved(await trial.session(0.0), token)]

    _check(run, [()])


@pytest.mark.parametrize("hours", [-24, 1, 24])
@pytest.mark.parametrize("wrong_first", [True, False])
def test_a_service_whose_dates_change_cuts_no_wait_short(hours, wrong_first):
    """Another host of the service, with another time, gave the second process its time."""

    async def run(trial: Trial, lag: float) -> list[str | None]:
        def wrong(now: datetime) -> str:
            return http_date_of(now + timedelta(hours=hours))

        trial.world.lag = lambda: lag
        trial.world.server.date = wrong if wrong_first else http_date_of
        session = await trial.session(0.0)
        trial.lose_answer()
        token = await trial.token(session)
        trial.world.server.date = http_date_of if wrong_first else wrong
        other = await trial.session(0.0)
        return [await _resolved(other, token)]

    _check(run, _each((5.0, WINDOW - 5.0)))


@pytest.mark.parametrize("skew", [*SKEWS, -30.0, 30.0])
def test_a_window_that_has_passed_is_not_waited_for_again(skew):
    """Where the clocks agree no call waits after the window; elsewhere at most once more."""

    async def once() -> None:
        trial = Trial()
        session = await trial.session(skew)
        trial.lose_answer(NEVER_CREATED)
        token = await trial.token(session)
        await asyncio.sleep(WINDOW + 10.0)
        trial.knows_time = False
        other = await trial.session(-skew)
        began = asyncio.get_running_loop().time()

        assert await _resolved(session, token) is None
        assert asyncio.get_running_loop().time() - began <= 3.0
        assert await _resolved(other, token) is None

        more = 0.0 if abs(skew) <= 30.0 else WINDOW
        assert asyncio.get_running_loop().time() - began <= more + 3.0
        await trial.close()

    clock.run(once())


@pytest.mark.long
@pytest.mark.parametrize("by_token", [False, True])
def test_a_clock_that_is_set_meanwhile_hides_nothing(by_token):
    """The clock jumps before the submission, during it, and during the search."""

    async def run(trial: Trial, after: float, by: float) -> list[str | None]:
        trial.world.lag = lambda: 40.0
        session, other = await trial.session(0.0), await trial.session(0.0)
        trial.lose_answer(ANSWER_LOST_LATE)
        asyncio.get_running_loop().call_later(after, trial.set_clock, by)
        await asyncio.sleep(1.0)
        if by_token:
            token = await trial.token(session)
            return await asyncio.gather(_resolved(session, token), _resolved(other, token))
        handle = await session.submit("mine")
        return [handle.id]

    _check(run, JUMPS)


@pytest.mark.long
@pytest.mark.parametrize("by_token", [False, True])
def test_a_date_that_is_absent_or_untrue_hides_nothing(by_token):
    """A proxy without a `Date`, and a service whose `Date` is not the time of its rows."""

    async def run(trial: Trial, date: str, skew: float) -> list[str | None]:
        trial.world.server.date = DATES[date]
        trial.world.lag = lambda: 20.0
        session = await trial.session(skew)
        trial.lose_answer()
        if by_token:
            token = await trial.token(session)
            other = await trial.session(-skew)
            return await asyncio.gather(_resolved(session, token), _resolved(other, token))
        return [(await session.submit("mine")).id]

    _check(run, itertools.product(DATES, (-DAY, 0.0, DAY)))


@pytest.mark.long
def test_rows_with_absurd_dates_hide_nothing():
    """Rows above the task with dates long ago or years ahead."""

    async def run(trial: Trial, days: float, rows: int, date: str) -> list[str | None]:
        trial.world.server.date = DATES.get(date, http_date_of)
        session = await trial.session(0.0)
        trial.lose_answer()
        submission = asyncio.create_task(session.submit("mine"))
        trial.world.lag = lambda: 5.0
        await asyncio.sleep(4.0)
        for task in list(trial.world.service.tasks.values())[-rows:]:
            task.created_at += timedelta(days=days)
        return [(await submission).id]

    first_day = -(EPOCH - datetime(1, 1, 1, tzinfo=UTC)).days
    absurd = [(-9999.0, 5), (9999.0, 5), (first_day, 101)]
    _check(run, [(*each, date) for each in absurd for date in ("true", "none")], (True, False))


@pytest.mark.parametrize("knows_time", [True, False])
def test_older_tasks_of_the_same_text_are_not_fetched(knows_time):
    """Of a hundred equal tasks in bare rows only possible ones are fetched."""

    async def once() -> tuple[int, int]:
        trial = Trial(knows_time)
        for _hour in range(100):
            trial.world.service.create("mine")
            await asyncio.sleep(HOUR)
        session = await trial.session(DAY)
        trial.world.server.on_request = lambda _request: None
        trial.lose_answer(NEVER_CREATED)
        with pytest.raises(errors.SubmissionUnknownError):
            await session.submit("mine")
        await trial.close()
        counts = trial.world.service.carried_out
        return counts["get"], counts["list"]

    gets, pages = clock.run(once())

    assert gets <= 2
    assert pages <= 2 * 12  # as many as the scans of a minute read


def test_a_token_of_an_earlier_version_is_still_read():
    """It has the time of a machine's clock, whose error is unknown."""
    mark = "0123456789abcdef" * 2

    async def run(trial: Trial, hours: int) -> list[str | None]:
        session = await trial.session(0.0)
        trial.world.service.create("mine", {TOKEN_KEY: mark})
        await asyncio.sleep(DAY)
        milliseconds = int((EPOCH + timedelta(hours=hours)).timestamp() * 1000)
        return [
            await _resolved(session, f"bu1.{mark}.{digest_of('mine')}.{milliseconds}.60.000000")
        ]

    _check(run, _each((-48, -24, 0, 24, 48)))


def test_a_token_says_whether_it_has_server_time():
    """The server's after two responses, if the clocks agree; else the machine's, unused."""

    async def once(knows_time: bool, skew: float) -> SubmissionToken:
        trial = Trial(knows_time)
        if not knows_time:
            trial.world.server.date = lambda _now: None
        session = await trial.session(skew)
        trial.lose_answer(NEVER_CREATED)
        token = SubmissionToken.parse(await trial.token(session))
        await trial.close()
        return token

    known = clock.run(once(True, 50.0))

    assert known.by_service
    assert abs(known.sent_at - EPOCH) <= timedelta(seconds=5)
    assert not clock.run(once(False, 0.0)).by_service
    assert not clock.run(once(True, DAY)).by_service
