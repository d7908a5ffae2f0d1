"""The settings of `batch run`, checked before anything is opened."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.api.limits import MAX_METADATA_PAIRS
from browser_use_async.api.validation import Mode, validate
from browser_use_async.batch.admission import nothing_would_run
from browser_use_async.cli.batch.input import KEY_COLUMN, InputFile, RowFile, Template
from browser_use_async.cli.batch.ledger import (
    LedgerName,
    begun_ledger,
    check_labels,
    labels_with_inputs,
    ledger_exists,
    shown_ledger,
)
from browser_use_async.cli.field_options import task_fields
from browser_use_async.errors import ConfigurationError
from browser_use_async.money import TaskPrice
from browser_use_async.postgres.address import is_postgres
from browser_use_async.types import RunTaskFields, RunTaskRequest

_SITE = "{site}"
_KEY_OPTION = "--api-key"
_BUDGET_OPTION = "--budget-cents"


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of a batch."""

    items: InputFile
    fields: RunTaskFields  # fields of each task
    output: Path | None  # the file for results, or None for stdout
    ledger: LedgerName | None  # the ledger, or None
    resume: bool  # whether an earlier run may have left something
    concurrency: int  # how many tasks at once
    budget_cents: Decimal | None  # what it may cost, in US cents, or None
    check_balance: bool  # whether the account's balance bounds that
    stop_orphans: bool  # whether tasks too many are stopped
    retry_dead_letters: bool  # whether refused items are tried again
    retry_failed: bool  # whether items whose task failed get another one
    max_failures: int | None  # failures in a row after which nothing is submitted, or None
    is_confirmed: bool  # whether not to ask before something is paid for
    task_timeout: float | None  # seconds for which each task is waited for, or None
    outage_tolerance: float  # seconds for which the service may take no task
    settle_window: float  # seconds after which a task that did not appear never will
    extend: bool  # whether the input may lack rows of the ledger
    labels: Mapping[str, str]  # what the ledger says about the batch

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Settings":
        """Build the settings from parsed options.

        Raises:
            ConfigurationError: The options do not go together, or a file is in the way.
            InvalidRequestError: The budget is too small for any task.
        """
        _refuse_contradictions(options)
        template = None if options.template is None else Template.read(options.template)
        # Replaced when the tasks are sent: the local server has no address yet.
        more = {"site": _SITE} if options.local else {}
        fields = task_fields(options)
        _check_fields(fields)
        _check_budget(options.budget_cents, fields)
        settings = cls(
            items=InputFile(
                RowFile(options.input, options.encoding), template, more, options.key_column
            ),
            fields=fields,
            output=options.output,
            ledger=options.ledger,
            resume=options.resume,
            concurrency=options.concurrency,
            budget_cents=options.budget_cents,
            check_balance=options.check_balance,
            stop_orphans=options.stop_orphans,
            retry_dead_letters=options.retry_dead_letters,
            retry_failed=options.retry_failed,
            max_failures=options.max_failures,
            is_confirmed=options.yes or options.local,
            task_timeout=options.task_timeout,
            outage_tolerance=options.outage_tolerance,
            settle_window=options.settle_window,
            extend=options.extend,
            labels=_labels(options, fields),
        )
        if settings.ledger is not None and not settings.resume and ledger_exists(settings.ledger):
            raise ConfigurationError(
                f"{shown_ledger(settings.ledger)} is there already; --resume goes on with its "
                "batch, or take another name"
            )
        view = begun_ledger(settings.ledger)
        if view is None:
            return settings
        check_labels(view, settings.labels)
        if not settings.extend:
            return settings
        return attrs.evolve(settings, labels=labels_with_inputs(view, settings.labels))


def _refuse_contradictions(options: argparse.Namespace) -> None:
    if options.resume and options.ledger is None:
        raise ConfigurationError("--resume needs the --ledger of the run that was interrupted")
    if options.resume and options.local:
        raise ConfigurationError("--resume: the server of --local ended with the earlier run")
    for name in ("retry_dead_letters", "retry_failed", "extend"):
        if getattr(options, name) and not options.resume:
            flag = "--" + name.replace("_", "-")
            raise ConfigurationError(f"{flag} is about an earlier run; add --resume")
    files = {"the input": options.input, "-o": options.output, "--ledger": options.ledger}
    # Resolved, so that two spellings of one path are noticed.
    given = [path.resolve() for path in files.values() if isinstance(path, Path)]
    if len(set(given)) != len(given):
        raise ConfigurationError(f"{', '.join(files)} must be different files")


def _check_fields(fields: Mapping[str, Any]) -> None:
    """Validate the fields once, which are the same for every task."""
    if len(fields.get("metadata") or ()) >= MAX_METADATA_PAIRS:
        raise ConfigurationError(
            f"--metadata: a batch needs one of the {MAX_METADATA_PAIRS} pairs itself"
        )
    # Any text stands for the task: those of the rows are checked with the input.
    _, problems = validate(RunTaskRequest, {"task": "any", **fields}, Mode.CLIENT)
    if problems:
        place, message = ".".join(map(str, problems[0].location)), problems[0].message
        raise ConfigurationError(f"{place}: {message[0].lower()}{message[1:]}; nothing was sent")


def _check_budget(budget_cents: Decimal | None, fields: Mapping[str, Any]) -> None:
    """Refuse a budget that is below the maximum of one task."""
    price = TaskPrice.of(RunTaskRequest("any", **fields))
    if budget_cents is not None and price.maximum_cents > budget_cents:
        raise nothing_would_run(price, budget_cents)


def _labels(options: argparse.Namespace, fields: Mapping[str, Any]) -> dict[str, str]:
    """Labels that describe the batch in its ledger; of secrets only the names."""
    labels = {"input": options.input.name}
    if options.template is not None:
        labels["template"] = options.template
    # Without it the rows have other keys, and all would be paid for again.
    if options.key_column != KEY_COLUMN:
        labels["key_column"] = options.key_column
    for name, value in sorted(fields.items()):
        shown = sorted(value) if isinstance(value, dict) else value
        labels[name] = ", ".join(map(str, shown)) if isinstance(shown, list) else str(shown)
    return labels


def resume_command(words: Sequence[str], budget_cents: int | None = None) -> str:
    """The command that resumes the batch, without the API key and with another budget if given."""
    kept = _without(words, _KEY_OPTION)
    if budget_cents is not None:
        kept = [*_without(kept, _BUDGET_OPTION), _BUDGET_OPTION, str(budget_cents)]
    # The command is printed: no password of an address may be.
    kept = [shown_ledger(word) if is_postgres(word) else word for word in kept]
    if "--resume" not in kept:
        kept.append("--resume")
    return shlex.join(["browser-use-async", *kept])


def _without(words: Sequence[str], option: str) -> list[str]:
    """The words without an option, whose value is the next word or stands behind a `=`."""
    kept: list[str] = []
    skips = False
    for word in words:
        if not skips and not word.startswith(f"{option}=") and word != option:
            kept.append(word)
        skips = word == option
    return kept
