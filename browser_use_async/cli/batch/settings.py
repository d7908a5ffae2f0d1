"""The settings of `batch run` and `batch enqueue`, the ledger, and how the batch is resumed."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.api.limits import MAX_METADATA_PAIRS
from browser_use_async.api.requests import build_request
from browser_use_async.api.validation import validate
from browser_use_async.batch import LedgerView, read_ledger
from browser_use_async.batch.admission import nothing_would_run
from browser_use_async.batch.inputs import content_key
from browser_use_async.batch.ledger.file import refuse_other_places
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.queue.address import QueueAddress
from browser_use_async.cli.batch.input import (
    KEY_COLUMN,
    InputContents,
    InputFile,
    InputItem,
    RowFile,
    Template,
    limit_key,
    short_digest,
)
from browser_use_async.cli.console import counted
from browser_use_async.cli.fields import task_fields
from browser_use_async.errors import ConfigurationError, LedgerError
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.postgres.address import is_postgres
from browser_use_async.server.secrets.sources import is_source
from browser_use_async.types import RunTaskFields, RunTaskRequest

# --- the ledger ------------------------------------------------------------------------------

_INPUT = "input"
# How many items the input of the last run has: a ledger knows those that were begun.
_ITEMS = "items"
LIMIT_BY = "limit_by"


def ledger_exists(ledger: Path) -> bool:
    """Whether there is such a ledger."""
    refuse_other_places(ledger)
    return ledger.exists()


def queue_address(text: str) -> str:
    """The value of an option: the address of a queue."""
    QueueAddress.parse(text)
    return text


def ledger_or_queue(text: str) -> Path | str:
    """The value of an argument: a ledger, or the address of a queue."""
    return queue_address(text) if is_postgres(text) else Path(text)


def begun_ledger(path: Path | None) -> LedgerView | None:
    """A ledger that knows items already, or None."""
    if path is None or not ledger_exists(path):
        return None
    try:
        view = read_ledger(path)
    except LedgerError:
        # Begun and not finished by a crash, or damaged: the batch, which opens it, decides.
        return None
    return view if view.total else None


def check_terms(view: LedgerView, labels: Mapping[str, str], key_prefix: str | None) -> None:
    """Refuse a ledger that belongs to a batch with other settings."""
    # The ledger knows a row by its task: with another template all would be paid for again.
    known = {**view.labels, "key_prefix": view.key_prefix}
    given = {**labels, "key_prefix": key_prefix or view.key_prefix}
    for name in sorted({*known, *given} - {_INPUT, _ITEMS, LIMIT_BY}):
        before, now = known.get(name), given.get(name)
        if before != now:
            was, is_now = ("not given" if each is None else repr(each) for each in (before, now))
            raise ConfigurationError(
                f"{view.path} belongs to a batch with {name} {was}, and now it is {is_now}; take "
                "another --ledger for another batch"
            )


def labels_with_inputs(view: LedgerView, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of a run that adds an input to a ledger: it has all of them."""
    inputs = [*view.labels.get(_INPUT, "").split(", "), labels[_INPUT]]
    return {**labels, _INPUT: ", ".join(dict.fromkeys(filter(None, inputs)))}


def labels_with_items(labels: Mapping[str, str], count: int) -> dict[str, str]:
    """The labels of a run whose input has so many items."""
    return {**labels, _ITEMS: str(count)}


def items_of_input(view: LedgerView) -> int | None:
    """How many items the input of the last run has, if the command line has begun it."""
    text = view.labels.get(_ITEMS, "")
    return int(text) if text.isdecimal() else None


def content_of(item: InputItem, fields: RunTaskFields, task: str) -> str:
    """What the ledger calls an item with this text if it has no key."""
    own: RunTaskFields = {"metadata": item.metadata(fields)} if item.pairs else {}
    return content_key(build_request(RunTaskRequest, {**fields, **own, "task": task}))


def check_input(view: LedgerView, contents: InputContents, source: Path) -> None:
    """Refuse an input that lacks rows of the ledger: it is likely another one."""
    found = Counter(short_digest(key) in contents.identities for key in view.item_keys())
    known, missing = found[True], found[False]
    if not missing:
        return
    new = len(contents.identities) - known
    rows = f"{counted(missing, 'row')} of the ledger {view.name}"
    added = f", and {new:,} of {source.name} {'is' if new == 1 else 'are'} new" if new else ""
    way_out = f"adds {'it' if new == 1 else 'them'} to" if new else "goes on with"
    raise ConfigurationError(
        f"{rows} {'is' if missing == 1 else 'are'} not in {source.name}{added}; nothing was sent. "
        f"--extend {way_out} this batch; for another one take another --ledger"
    )


# --- the settings ----------------------------------------------------------------------------

_SITE = "{site}"
_BUDGET_OPTION = "--budget-cents"


@attrs.frozen(kw_only=True)
class BatchSettings:
    """What `batch run` and `batch enqueue` do, checked before anything is opened."""

    items: InputFile
    options: BatchOptions  # as `run_many` takes them
    fields: RunTaskFields  # of each task
    resume: bool  # whether an earlier run may have left something
    extend: bool  # whether the input may lack rows of the ledger
    is_confirmed: bool  # whether not to ask before something is paid for
    output: Path | None = None  # the file for results, or None for stdout

    @property
    def ledger(self) -> Path | None:
        """The file of the ledger."""
        return None if self.options.ledger is None else Path(self.options.ledger)

    @classmethod
    def read(
        cls,
        *,
        source: Path,
        template: str | None,
        key_column: str,
        encoding: str,
        limit_by: str | None,
        ledger: Path | None,
        resume: bool,
        extend: bool,
        yes: bool,
        output: Path | None = None,
        local: bool = False,
        **more: Any,
    ) -> "BatchSettings":
        """Make the settings of the options; `more` are those of `BatchOptions` and of run-task."""
        options = _batch_options(more, ledger, limit_by)
        fields = task_fields(more)
        if "inputs" in fields:
            raise ConfigurationError("--input: a batch takes them from the columns of its rows")
        given = dict(fields)
        script = fields.pop("script", None)
        _refuse_contradictions(options, ledger, resume=resume, extend=extend, local=local)
        _refuse_one_file({"the input": source, "-o": output, "--ledger": ledger})
        _check_fields(fields)
        _check_budget(options.budget_cents, fields)
        if ledger is not None and not resume and ledger_exists(ledger):
            raise ConfigurationError(
                f"{ledger} is there already; --resume goes on with its batch, or take another name"
            )
        labels = _labels(source, template, key_column, given)
        if limit_by is not None:
            labels[LIMIT_BY] = limit_by
        if (view := begun_ledger(ledger)) is not None:
            check_terms(view, labels, options.key_prefix)
            labels = labels_with_inputs(view, labels) if extend else labels
        return cls(
            items=InputFile(
                RowFile(source, encoding),
                None if template is None else Template.read(template),
                # Replaced when the tasks are sent: the local server has no address yet.
                {"site": _SITE} if local else {},
                key_column,
                limit_by,
                script,
            ),
            options=attrs.evolve(options, labels=labels),
            fields=fields,
            resume=resume,
            extend=extend,
            is_confirmed=yes or local,
            output=output,
        )


_OPTIONS = {each.name for each in attrs.fields(BatchOptions)}


def _batch_options(
    values: dict[str, Any], ledger: Path | None, limit_by: str | None
) -> BatchOptions:
    """Take the options of the batch from the values of the command line."""
    given = {name: values.pop(name) for name in _OPTIONS if name in values}
    return BatchOptions(**given, ledger=ledger, limit_by=None if limit_by is None else limit_key)


def _refuse_contradictions(
    options: BatchOptions,
    ledger: Path | None,
    *,
    resume: bool,
    extend: bool,
    local: bool,
) -> None:
    if resume and ledger is None:
        raise ConfigurationError("--resume needs the --ledger of the run that was interrupted")
    if resume and local:
        raise ConfigurationError("--resume: the server of --local ended with the earlier run")
    for flag, is_given in (
        ("--extend", extend),
        ("--retry-failed", options.retry_failed),
        ("--retry-unknown", options.retry_unknown),
    ):
        if is_given and not resume:
            raise ConfigurationError(f"{flag} is about an earlier run; add --resume")


def _refuse_one_file(files: Mapping[str, object]) -> None:
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
    _, problems = validate(RunTaskRequest, {"task": "any", **fields})
    if problems:
        place, message = ".".join(map(str, problems[0].location)), problems[0].message
        raise ConfigurationError(f"{place}: {message[0].lower()}{message[1:]}; nothing was sent")


def _check_budget(budget_cents: Decimal | None, fields: Mapping[str, Any]) -> None:
    """Refuse a budget that is below the maximum of one task."""
    price = TaskPrice.of(RunTaskRequest("any", **fields))
    if budget_cents is not None and price.maximum_cents > budget_cents:
        raise nothing_would_run(price, budget_cents)


def _labels(
    source: Path, template: str | None, key_column: str, fields: Mapping[str, Any]
) -> dict[str, str]:
    """Labels that describe the batch in its ledger; of secrets only the names."""
    labels = {"input": source.name}
    if template is not None:
        labels["template"] = template
    # Without it the rows have other keys, and all would be paid for again.
    if key_column != KEY_COLUMN:
        labels["key_column"] = key_column
    for name, value in sorted(fields.items()):
        shown = sorted(value) if isinstance(value, dict) else value
        labels[name] = ", ".join(map(str, shown)) if isinstance(shown, list) else str(shown)
    return labels


def resume_command(words: Sequence[str], budget_cents: int | None = None) -> str:
    """The command that resumes the batch, without the API key and with another budget if given."""
    key, kept = _taken(words, "--api-key")
    # The place of a key may be shown, but not the key.
    kept = list(words) if is_source(key) else kept
    if budget_cents is not None:
        kept = [*_taken(kept, _BUDGET_OPTION)[1], _BUDGET_OPTION, str(budget_cents)]
    if "--resume" not in kept:
        kept.append("--resume")
    return shlex.join(["browser-use-async", *kept])


def _taken(words: Sequence[str], option: str) -> tuple[str, list[str]]:
    """The value of an option, or an empty text, and the other words."""
    value, kept = "", list[str]()
    rest = iter(words)
    for word in rest:
        if word == option:
            value = next(rest, "")
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
        else:
            kept.append(word)
    return value, kept
