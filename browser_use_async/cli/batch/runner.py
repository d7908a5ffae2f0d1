"""The run of a batch: results, progress, and what Ctrl-C does."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.batch import (
    BatchItem,
    BatchProgress,
    ItemState,
    LedgerView,
    StopReason,
    read_ledger,
)
from browser_use_async.batch.batch import Batch
from browser_use_async.batch.inputs import InputPrices
from browser_use_async.batch.ledger.records import FINAL_STATES
from browser_use_async.cli.batch.failures import Failures
from browser_use_async.cli.batch.input import InputContents, InputFile, InputItem
from browser_use_async.cli.batch.progress import (
    BatchDisplay,
    exit_code_for,
    fitting_budget,
    has_begun,
    joined_in,
    joined_words,
    remaining,
    summary,
    summary_line,
)
from browser_use_async.cli.batch.results import (
    CsvTable,
    JsonLines,
    Record,
    ResultFile,
    ledger_records,
    result_record,
)
from browser_use_async.cli.batch.settings import (
    BatchSettings,
    begun_ledger,
    check_input,
    content_of,
    labels_with_items,
    ledger_exists,
    resume_command,
)
from browser_use_async.cli.connect import Connection
from browser_use_async.cli.console import Console, OutputError, answer_of, counted
from browser_use_async.cli.exit import ExitCode, graceful_sigint
from browser_use_async.cli.screen import Style
from browser_use_async.errors import BrowserUseError, ConfigurationError
from browser_use_async.prices import format_cents
from browser_use_async.types import RunTaskFields

_UNASKED_CENTS = 1000  # what a batch may cost before a person is asked


@attrs.define(eq=False, repr=False)
class _InputTracker:
    """The input of `run_many`, which also remembers the items in flight."""

    _file: InputFile
    contents: InputContents
    _fill_in: Callable[[str], str]
    _fields: RunTaskFields
    _under_way: dict[int, InputItem] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return self.contents.count

    def __iter__(self) -> Generator[BatchItem]:
        for index, item in enumerate(self._file.items()):
            self._under_way[index] = item
            yield item.to_batch_item(self._fill_in(item.task), self._fields)

    def pop(self, index: int) -> InputItem | None:
        """Remove and return an item that has ended."""
        return self._under_way.pop(index, None)


@attrs.frozen
class BatchRun:
    """One run of a batch."""

    settings: BatchSettings
    console: Console  # where to show it
    words: Sequence[str]  # the command line
    timeout: float | None = None  # seconds after which it is left, or None
    failures: Failures = attrs.field(factory=Failures)
    # For -o without a ledger, which else has them
    _records: list[Record] = attrs.field(factory=list, init=False)

    async def run(self, connection: Connection) -> int:
        """Run the batch, and return the exit code."""
        settings, console = self.settings, self.console
        with console.status(f"reading {settings.items.file.path}"):
            # In a thread, so that Ctrl-C works while a large file is read.
            contents = await asyncio.to_thread(self.read_input)
        if not await self.confirm(contents.count):
            console.info("nothing was sent")
            return ExitCode.TASK_FAILED  # all rows remain
        if (file := self._output_file(contents)) is not None:
            file.check(replaces=settings.resume)
        self._announce(contents.count)
        tracker = _InputTracker(settings.items, contents, connection.fill_in, settings.fields)
        labels = labels_with_items(settings.options.labels, contents.items)
        options = attrs.evolve(settings.options, labels=labels)
        batch = connection.session._run_batch(  # noqa: SLF001
            tracker, settings.fields.copy(), options
        )
        try:
            with graceful_sigint(lambda: self._drain(batch)):
                code = await self._run_with_timeout(batch, tracker)
        except (asyncio.CancelledError, BrowserUseError, OutputError):
            if file is not None and self._records:
                await self._write_records(file)  # no later run can
            raise
        code = self._finish(batch) if code is None else code
        if file is not None and settings.ledger is None:
            await self._write_records(file)
        elif file is not None:
            await self._write_results(file, connection)
        return code

    async def _write_records(self, file: ResultFile) -> None:
        """Write the results of a run without a ledger; to stdout if the file cannot be written."""

        async def in_order() -> AsyncGenerator[Record, None]:
            for record in sorted(self._records, key=itemgetter("index")):
                yield record

        try:
            await file.write(in_order(), "the results are on stdout, a line of JSON for each row")
        except ConfigurationError:
            for record in self._records:
                self.console.result(record)
            raise
        self._report_written(file)

    async def _write_results(self, file: ResultFile, connection: Connection) -> None:
        """Write what the ledger knows, with the rows of the input."""
        settings, ledger = self.settings, begun_ledger(self.settings.ledger)
        if ledger is None:
            return  # the time was up before the batch began
        fields, fill_in = settings.fields, connection.fill_in
        items = (
            (item, content_of(item, fields, fill_in(item.task))) for item in settings.items.items()
        )
        has_schema = "structured_output_json" in fields
        with self.console.status(f"writing {file.path}"):
            await file.write(
                ledger_records(ledger, items, connection.session.tasks, has_schema=has_schema)
            )
        self._report_written(file)

    def _report_written(self, file: ResultFile) -> None:
        self.console.info(
            f"results are in {file.path}, in the order of the input, whose lines are in `line`"
        )

    def read_input(self) -> InputContents:
        """Read the whole input, and compare it with the ledger."""
        settings = self.settings
        view = None if settings.extend else begun_ledger(settings.ledger)
        if view is None:
            return settings.items.check()
        contents = settings.items.check(
            lambda item: item.key or content_of(item, settings.fields, item.task)
        )
        check_input(view, contents, settings.items.file.path)
        return contents

    async def confirm(self, count: int) -> bool:
        """Whether so many rows may cost what they may; a person at a terminal is asked."""
        settings = self.settings
        if settings.is_confirmed:
            return True
        if settings.options.retry_failed:
            return await self._confirm_retry()
        # A batch that was begun was confirmed then, with the same rows unless it is extended.
        is_known = not settings.extend and begun_ledger(settings.ledger) is not None
        if not count or settings.options.budget_cents is not None or is_known:
            return True
        cents = count * self._maximum_of_one()
        most = format_cents(cents)
        return cents <= _UNASKED_CENTS or await self.console.confirm(
            f"{counted(count, 'task')} may cost up to {most}, and no --budget-cents bounds that"
        )

    async def _confirm_retry(self) -> bool:
        settings = self.settings
        if settings.ledger is None or not ledger_exists(settings.ledger):
            return True
        counts = read_ledger(settings.ledger).counts
        failed = counts[ItemState.FAILED] + counts[ItemState.DEAD]
        if not failed:
            return True
        return await self.console.confirm(
            f"{counted(failed, 'row')} failed. Trying them again creates as many new tasks of at "
            f"most {self._price_of_one()} each"
        )

    def _output_file(self, contents: InputContents) -> ResultFile | None:
        settings = self.settings
        if settings.output is None:
            return None
        if not ResultFile.is_table(settings.output):
            return ResultFile(settings.output, JsonLines())
        schema = settings.fields.get("structured_output_json")
        return ResultFile(
            settings.output, CsvTable(contents.columns, schema, settings.items.key_column)
        )

    def _announce(self, count: int) -> None:
        self.console.info(
            f"{counted(count, 'task')} of at most {self._price_of_one()} each, "
            f"{self.settings.options.concurrency:,} at once{self._joins()}"
        )
        view = begun_ledger(self.settings.ledger)
        if view is not None and view.joined:
            self.console.info(joined_words(view.joined, view.total, view.joined_failed))
        self.note_separator()
        if view is not None:
            for term in self._changed_terms(view):
                self.console.note(term)
        if self.settings.ledger is None:
            self.console.note("without --ledger this batch cannot be resumed after an interruption")

    def note_separator(self) -> None:
        """Say what separates the columns, if it is not what separates most."""
        file = self.settings.items.file
        if (separator := file.unusual_separator) is not None:
            self.console.note(
                f"the columns of {file.path} are separated by {separator!r}, not by ','"
            )

    def _changed_terms(self, view: LedgerView) -> Iterator[str]:
        """What this run allows that the last run of its ledger did not, or the reverse."""
        options = self.settings.options
        for name, before, now in (
            ("--budget-cents", view.budget_cents, options.budget_cents),
            ("--per-key", view.per_key, options.per_key),
        ):
            if before != now:
                was, is_now = ("not given" if each is None else f"{each}" for each in (before, now))
                yield f"{name} was {was} in the last run of this ledger, and is {is_now} now"

    def _joins(self) -> str:
        prefix = self.settings.options.key_prefix
        if prefix is None:
            return ""
        return f"; rows join the tasks of earlier runs with the key prefix {prefix!r}"

    def _report_joined(self, progress: BatchProgress) -> None:
        """Say how many rows have tasks of an earlier run, and how they run anew."""
        if not progress.joined:
            return
        # A ledger keeps its prefix, and its failed items can be tried again.
        anew = "another --key-prefix runs all rows anew"
        if self.settings.ledger is not None:
            anew = "a new --ledger without this --key-prefix runs all rows anew"
            if progress.joined_failed:
                anew = f"--resume --retry-failed runs the failed ones anew, {anew}"
        self.console.note(f"{joined_in(progress)}; {anew}")

    def _maximum_of_one(self) -> Decimal:
        return InputPrices.of([""], self.settings.fields).total_cents

    def _price_of_one(self) -> str:
        return format_cents(self._maximum_of_one())

    def _drain(self, batch: Batch[Any]) -> None:
        batch.drain()
        running = batch.progress.running
        consequence = "they are stopped then"
        if self.settings.ledger is not None:
            consequence = "they go on, and --resume finds them"
        self.console.note(
            f"no more tasks are created; waiting for the {running:,} under way. Press Ctrl-C "
            f"again to leave them: {consequence}"
        )

    async def _run_with_timeout(self, batch: Batch[Any], tracker: _InputTracker) -> int | None:
        """Process all results; the exit code if the time is up before the batch ends."""
        clock = asyncio.timeout(self.timeout)
        try:
            async with clock:
                await self._process_results(batch, tracker)
        except TimeoutError:
            # A TimeoutError of the batch itself, not the end of --timeout.
            if not clock.expired():
                raise
            self.console.error("the time is up")
            self._report_resume(batch)
            return ExitCode.TIMED_OUT
        except (asyncio.CancelledError, BrowserUseError, OutputError):
            self._report_resume(batch)
            raise
        return None

    async def _process_results(self, batch: Batch[Any], tracker: _InputTracker) -> None:
        has_schema = "structured_output_json" in self.settings.fields
        streams = self.settings.output is None
        shows_results = streams and self.console.shows_text
        display = BatchDisplay(
            self.console, lambda: batch.progress, self.failures, shows_results=shows_results
        )
        async with batch, display:
            async for result in batch:
                item = tracker.pop(result.index)
                display.report_result(result)
                # An item that has not ended is written by the run that resumes the batch.
                if result.state not in FINAL_STATES:
                    continue
                if streams and not self.console.shows_text:
                    with answer_of(result.task_id):
                        self.console.result(result_record(result, item, has_schema=has_schema))
                elif not streams and self.settings.ledger is None:
                    self._records.append(result_record(result, item, has_schema=has_schema))

    def _report_resume(self, batch: Batch[Any]) -> None:
        if not has_begun(batch.progress):
            return
        self._summarize(batch.progress)
        ledger = self.settings.ledger
        if batch.progress.unknown:
            self.console.note(
                "unknown: run-task was not answered, and no task has appeared. --resume looks for "
                "it once more; --retry-unknown then sends the row again, which may pay twice"
            )
        if ledger is not None and ledger.exists():
            self._report_left(ledger, batch.progress)
            self.console.info("to go on: ", (self._resume_command(batch.progress), Style.STRONG))

    def _report_left(self, ledger: Path, progress: BatchProgress) -> None:
        """Say how many tasks run on, since they cost money."""
        if left := read_ledger(ledger).counts[ItemState.SUBMITTED]:
            most = format_cents(progress.running_cents)
            self.console.note(f"left running: {counted(left, 'task')} that may cost up to {most}")

    def _summarize(self, progress: BatchProgress) -> None:
        self.failures.show(self.console)
        self.console.info(*summary_line(progress))
        self._report_joined(progress)

    def _resume_command(self, progress: BatchProgress) -> str:
        budget = None
        # With the same budget the next run would stop at once, too.
        is_bounded = self.settings.options.budget_cents is not None
        if progress.stopped_by is StopReason.BUDGET and is_bounded:
            budget = fitting_budget(progress, self._maximum_of_one())
        return resume_command(self.words, budget)

    def _finish(self, batch: Batch[Any]) -> int:
        progress = batch.progress
        if remaining(progress) or progress.unknown:
            self._report_resume(batch)
        else:
            self._summarize(progress)
        if self.settings.output is not None and not self.console.shows_text:
            self.console.result({**summary(progress), "failures": self.failures.record()})
        return exit_code_for(progress)
