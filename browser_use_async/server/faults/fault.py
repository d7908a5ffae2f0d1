"""A fault rule: which calls it applies to, and what it does to them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.checks import names_its_fields, one_of
from browser_use_async.server.faults import checks


class FaultKind(StrEnum):
    """The kinds of faults."""

    LATENCY = "latency"  # the call takes `seconds` longer
    STATUS = "status"  # the answer is `status` with `headers` and `body`
    LOST_REPLY = "lost_reply"  # the call is executed, and the connection closed instead of answered
    LATE_COMMIT = "late_commit"  # the same at once, and the call is executed `seconds` later
    LIST_LAG = "list_lag"  # a new task appears in list-tasks only after `seconds`
    RESET = "reset"  # the connection is reset
    TRUNCATE = "truncate"  # the answer's body ends at `at_byte`, whatever its Content-Length says
    GARBAGE = "garbage"  # the answer is not HTTP
    DRIP = "drip"  # the answer's body comes at `bytes_per_second`
    CONTENT_TYPE = "content_type"  # the answer says that it is of another `content_type`
    DUPLICATE_WEBHOOK = "duplicate_webhook"  # a delivered event is sent `count` times more


@attrs.frozen
class _Fields:
    """The required and the optional fields of a kind."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_FIELDS = {
    FaultKind.LATENCY: _Fields(("seconds",), ("when",)),
    FaultKind.STATUS: _Fields(("status",), ("headers", "body", "when")),
    FaultKind.LOST_REPLY: _Fields(takes=("by",)),
    FaultKind.LATE_COMMIT: _Fields(("seconds",), ("by",)),
    FaultKind.LIST_LAG: _Fields(("seconds",)),
    FaultKind.RESET: _Fields(takes=("when",)),
    FaultKind.TRUNCATE: _Fields(("at_byte",), ("by",)),
    FaultKind.GARBAGE: _Fields(takes=("body", "when")),
    FaultKind.DRIP: _Fields(("bytes_per_second",)),
    FaultKind.CONTENT_TYPE: _Fields(("content_type",)),
    FaultKind.DUPLICATE_WEBHOOK: _Fields(takes=("count",)),
}

_USUALLY_BEFORE = frozenset({FaultKind.LATENCY, FaultKind.STATUS, FaultKind.RESET})
"""Kinds that apply before the call is executed unless `when` says otherwise."""

_OF_KINDS = sorted({name for each in _FIELDS.values() for name in (*each.needs, *each.takes)})
"""The fields that only some kinds have."""

WEBHOOK = "webhook"
"""The name under which the delivery of an event counts as an operation."""

_ABOUT = {FaultKind.LIST_LAG: "run_task", FaultKind.DUPLICATE_WEBHOOK: WEBHOOK}
"""The only operation that a kind applies to, for kinds that have one."""


def _kind(value: str) -> FaultKind:
    one_of("kind", value, FaultKind)
    return FaultKind(value)


@names_its_fields
@attrs.frozen
class Fault:
    """A fault of some calls to a bundled server.

    Raises:
        ConfigurationError: A field has a value that it cannot have, is missing, or is none of
            this kind. The text begins with the field's name.
    """

    kind: FaultKind = attrs.field(converter=_kind)
    operations: tuple[str, ...] | None = attrs.field(default=None, converter=checks.operations)
    calls: tuple[int, ...] | None = attrs.field(default=None, converter=checks.calls, kw_only=True)
    first: int | None = attrs.field(default=None, kw_only=True)
    probability: float = attrs.field(default=1.0, kw_only=True)
    seed: int = attrs.field(default=0, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    when: str | None = attrs.field(default=None, kw_only=True)
    seconds: float | None = attrs.field(default=None, kw_only=True)
    status: int | None = attrs.field(default=None, kw_only=True)
    headers: Mapping[str, str] | None = attrs.field(default=None, kw_only=True)
    body: str | None = attrs.field(default=None, kw_only=True)
    by: str | None = attrs.field(default=None, kw_only=True)
    at_byte: int | None = attrs.field(default=None, kw_only=True)
    bytes_per_second: float | None = attrs.field(default=None, kw_only=True)
    content_type: str | None = attrs.field(default=None, kw_only=True)
    count: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        # None is a field that was not given; the kind decides which are required.
        for field, kind in checks.OF_FIELDS.items():
            value: Any = getattr(self, field)
            if value is not None:
                kind.check(field, value)
        if self.calls is not None and self.first is not None:
            raise ConfigurationError("first: either calls or first says which calls")
        self._check_fields_of_kind()

    @property
    def label(self) -> str:
        """The key in the counts: the name, else `kind operation,operation`."""
        return self.name or " ".join([self.kind, *filter(None, [",".join(self.operations or ())])])

    @property
    def is_before(self) -> bool:
        """Whether it applies before the call is executed."""
        return self.when == "before" if self.when else self.kind in _USUALLY_BEFORE

    def concerns(self, operation: str) -> bool:
        """Whether the rule is for this operation."""
        if self.kind in _ABOUT:
            return operation == _ABOUT[self.kind]
        # File and upload routes have faults only if a rule names them.
        return operation in (checks.API_OPERATIONS if self.operations is None else self.operations)

    def picks(self, number: int) -> bool:
        """Whether the rule selects the call with this number, before any probability."""
        if self.first is not None:
            return number <= self.first
        return self.calls is None or number in self.calls

    def _check_fields_of_kind(self) -> None:
        known = _FIELDS[self.kind]
        for field in known.needs:
            if getattr(self, field) is None:
                raise ConfigurationError(f"{field}: a fault of kind {self.kind} needs it")
        for field in _OF_KINDS:
            if getattr(self, field) is not None and field not in (*known.needs, *known.takes):
                raise ConfigurationError(f"{field}: a fault of kind {self.kind} has none")
        about = _ABOUT.get(self.kind)
        if about is not None and self.operations not in {None, (about,)}:
            raise ConfigurationError(f"operations: a fault of kind {self.kind} is about {about}")
