"""The ledger that `--ledger` names, and whether it belongs to the batch that is about to run."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from browser_use_async.api.requests import build_request
from browser_use_async.batch import LedgerView, read_ledger
from browser_use_async.batch.inputs import content_key
from browser_use_async.batch.ledger.file import refuse_folder
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.cli.batch.input import InputContents, InputItem, short_digest
from browser_use_async.errors import ConfigurationError, LedgerError
from browser_use_async.postgres.address import is_postgres, require_packages
from browser_use_async.types import RunTaskFields, RunTaskRequest

# A file, or the address of a ledger in PostgreSQL.
LedgerName = Path | str

_INPUT = "input"
# How many items the input of the last run has: a ledger in a file knows those that were begun.
_ITEMS = "items"


def ledger_name(text: str) -> LedgerName:
    """The value of an option: an address stays a text, since a path has no `//`."""
    return text if is_postgres(text) else Path(text)


def shown_ledger(ledger: LedgerName) -> str:
    """A ledger as people are shown it: an address without its password."""
    return str(ledger) if isinstance(ledger, Path) else str(LedgerAddress.parse(ledger))


def ledger_exists(ledger: LedgerName) -> bool:
    """Whether there is such a ledger.

    Raises:
        LedgerError: It is a folder, or the server of an address cannot be reached.
        InvalidRequestError: An address is malformed.
        ConfigurationError: An address needs packages that are not installed.
    """
    if isinstance(ledger, Path):
        refuse_folder(ledger)
        return ledger.exists()
    address = LedgerAddress.parse(ledger)
    require_packages("a ledger", "psycopg")
    # Loaded by those who use it.
    from browser_use_async.batch.postgres.reader import exists  # noqa: PLC0415

    return exists(address)


def begun_ledger(path: LedgerName | None) -> LedgerView | None:
    """A ledger that knows items already, or None."""
    if path is None or not ledger_exists(path):
        return None
    try:
        view = read_ledger(path)
    except LedgerError:
        # Begun and not finished by a crash, or damaged: the batch, which opens it, decides.
        return None
    return view if view.total else None


def check_terms(view: LedgerView, labels: Mapping[str, str], key_prefix: str) -> None:
    """Refuse a ledger that belongs to a batch with other settings.

    Raises:
        ConfigurationError: A setting is not what it was.
    """
    # The ledger knows a row by its task: with another template all would be paid for again.
    known, given = with_prefix(view.labels, view.key_prefix), with_prefix(labels, key_prefix)
    for name in sorted({*known, *given} - {_INPUT, _ITEMS}):
        before, now = known.get(name), given.get(name)
        if before != now:
            raise ConfigurationError(
                f"{view.path} belongs to a batch with {name} {_shown(before)}, and now it is "
                f"{_shown(now)}; take another --ledger for another batch"
            )


def with_prefix(labels: Mapping[str, str], key_prefix: str) -> dict[str, str]:
    """The labels of a batch with the prefix of its keys, if it has one."""
    return {**labels, "key_prefix": key_prefix} if key_prefix else {**labels}


def _shown(label: str | None) -> str:
    return "not given" if label is None else repr(label)


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


def ledger_key(item: InputItem, fields: RunTaskFields) -> str:
    """What the ledger calls an item."""
    if item.key is not None:
        return item.key
    own: RunTaskFields = {"metadata": item.metadata(fields)} if item.pairs else {}
    return content_key(build_request(RunTaskRequest, {**fields, **own, "task": item.task}))


def check_input(view: LedgerView, contents: InputContents, source: Path) -> None:
    """Refuse an input that lacks rows of the ledger: it is likely another one.

    Raises:
        ConfigurationError: It is, which only --extend allows.
    """
    known, missing = _compared(view, contents.identities)
    if not missing:
        return
    new = len(contents.identities) - known
    count = "1 row" if missing == 1 else f"{missing:,} rows"
    added = f", and {new:,} of {source.name} {'is' if new == 1 else 'are'} new" if new else ""
    way_out = f"adds {'it' if new == 1 else 'them'} to" if new else "goes on with"
    raise ConfigurationError(
        f"{count} of the ledger {view.name} {'is' if missing == 1 else 'are'} not in "
        f"{source.name}{added}; nothing was sent. --extend {way_out} this batch; for another one "
        "take another --ledger"
    )


def _compared(view: LedgerView, identities: AbstractSet[int]) -> tuple[int, int]:
    """How many rows of the ledger are among these, and how many are not."""
    known = missing = 0
    for key in view.item_keys():
        if short_digest(key) in identities:
            known += 1
        else:
            missing += 1
    return known, missing
