"""Running a batch from the command line: its results, its display, and what Ctrl-C does."""

import asyncio
from contextlib import ExitStack
from typing import Any

import attrs

from browser_use_async.batch import BatchResult, ItemState
from browser_use_async.batch.batch import Batch
from browser_use_async.batch.estimates import InputPrices
from browser_use_async.cli.report.format import cents
from browser_use_async.batch.ledger.records import FINAL_STATES
from browser_use_async.cli.batches.display import Display
from browser_use_async.cli.batches.intake import Intake
from browser_use_async.cli.batches.outcomes import OutcomeFile, outcome
from browser_use_async.cli.batches.settings import Settings
from browser_use_async.cli.batches.summary import code_of, left, sentence, summary
from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.interruption import gently
from browser_use_async.cli.target import Target
from browser_use_async.errors import BrowserUseError

__all__ = ["Run"]


@attrs.frozen
class Run:
    """One run of a batch."""

    settings: Settings  # how it is run
    console: Console  # where to show it
    resume_command: str  # what goes on with it after an interruption
    timeout: float | None = None  # seconds after which it is left, or None

    async def run(self, target: Target) -> int:
        """Run it to its end, or as far as it may."""
        settings, console = self.settings, self.console
        with console.working(f"reading {settings.items.file.path}"):
            count = await asyncio.to_thread(settings.items.check)
        with ExitStack() as stack:
            file = self._output_file()
            if file is not None:
                stack.enter_context(file)
            self._introduce(count)
            intake = Intake(settings.items, count, target.filled)
            batch = self._batch(target, intake)
            stack.enter_context(gently(lambda: self._drain(batch)))
            code = await self._watched(batch, intake, file)
        return self._conclude(batch) if code is None else code

    def _output_file(self) -> OutcomeFile | None:
        settings = self.settings
        if settings.output is None:
            return None
        forget = {ItemState.DEAD} if settings.retry_dead_letters else set[ItemState]()
        return OutcomeFile(settings.output, resume=settings.resume, forget=forget)

    def _introduce(self, count: int) -> None:
        each = cents(InputPrices.of([""], self.settings.fields).total_cents)
        self.console.say(
            f"{count:,} {'task' if count == 1 else 'tasks'} of at most {each} each, "
            f"{self.settings.concurrency:,} at once"
        )
        if self.settings.ledger is None:
            self._note("without --ledger this batch cannot be resumed after an interruption")

    def _note(self, text: str) -> None:
        self.console.item([("note: ", Style.WAITING)], text)

    def _batch(self, target: Target, intake: Intake) -> Batch[Any]:
        settings = self.settings
        return target.session.run_many(
            intake,
            concurrency=settings.concurrency,
            ledger=settings.ledger,
            budget_cents=settings.budget_cents,
            budget_strict=settings.budget_strict,
            check_balance=settings.check_balance,
            stop_orphans=settings.stop_orphans,
            timeout=settings.task_timeout,
            outage_tolerance=settings.outage_tolerance,
            settle_window=settings.settle_window,
            retry_dead_letters=settings.retry_dead_letters,
            labels=settings.labels,
            **settings.fields,
        )

    def _drain(self, batch: Batch[Any]) -> None:
        batch.drain()
        running = batch.progress.running
        fate = "they are stopped then"
        if self.settings.ledger is not None:
            fate = "they go on, and --resume finds them"
        self._note(
            f"no more tasks are created; waiting for the {running:,} under way. Press Ctrl-C "
            f"again to leave them: {fate}"
        )

    async def _watched(
        self, batch: Batch[Any], intake: Intake, file: OutcomeFile | None
    ) -> int | None:
        """Take all results. The exit code, if the time is up before the batch ends."""
        clock = asyncio.timeout(self.timeout)
        try:
            async with clock:
                await self._take_all(batch, intake, file)
        except TimeoutError:
            if not clock.expired():
                raise
            self.console.failure("the time is up")
            self._say_how_to_go_on(batch)
            return ExitCode.TIMED_OUT
        except (asyncio.CancelledError, BrowserUseError):
            self._say_how_to_go_on(batch)
            raise
        return None

    async def _take_all(self, batch: Batch[Any], intake: Intake, file: OutcomeFile | None) -> None:
        has_schema = "structured_output_json" in self.settings.fields
        tells_results = file is None and self.console.results_are_read_by_people
        display = Display(self.console, lambda: batch.progress, tells_results=tells_results)
        async with batch, display:
            async for result in batch:
                item = intake.take(result.index)
                display.tell(result)
                # What has not come to its end does so in a later run, which then writes it down.
                if result.state in FINAL_STATES:
                    self._write(result, outcome(result, item, has_schema=has_schema), file)

    def _write(
        self, result: "BatchResult[Any]", written: dict[str, Any], file: OutcomeFile | None
    ) -> None:
        if file is not None:
            file.add(written)
        elif not self.console.results_are_read_by_people:
            self.console.emit(written)

    def _say_how_to_go_on(self, batch: Batch[Any]) -> None:
        self.console.say(*sentence(batch.progress))
        ledger = self.settings.ledger
        if ledger is not None and ledger.exists():
            self.console.say("to go on: ", (self.resume_command, Style.STRONG))

    def _conclude(self, batch: Batch[Any]) -> int:
        progress = batch.progress
        for orphan in batch.orphans:
            fate = "it was stopped" if orphan.stopped else "it was not stopped"
            self._note(f"task {orphan.task_id} is one too many for {orphan.key}; {fate}")
        if left(progress) or progress.unknown:
            self._say_how_to_go_on(batch)
        else:
            self.console.say(*sentence(progress))
        if self.settings.output is not None and not self.console.results_are_read_by_people:
            self.console.emit(summary(progress))
        return code_of(progress)
