"""A fault rule: which calls it applies to, and what it does to them.

A kind of fault is one function: its keywords are what the kind needs and takes, its docstring what
the client sees. A keyword that no kind has had is a field of `Fault`, too.
"""

import contextlib
import inspect
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar

import attrs
from aiohttp import web

from browser_use_async.api.json import read_json
from browser_use_async.api.submission_key import REPLAYED_HEADER
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.checks import names_its_fields
from browser_use_async.server.checks import one_of as check_word
from browser_use_async.server.faults import checks
from browser_use_async.server.faults.call import Call, ConnectionLostError
from browser_use_async.server.http.responses import json_response
from browser_use_async.server.setting_kinds import COUNT, TEXT, Kind, one_of, whole

WEBHOOK = "webhook"
"""The name under which the delivery of an event counts as an operation."""
_GARBAGE = "\x15\x03\x01 this is not HTTP\r\n\r\n"
_SLICE_SECONDS = 0.05  # between two parts of a slow body, unless it is sent byte by byte

_Answer: TypeAlias = web.StreamResponse
_Act = TypeVar("_Act", bound=Callable[..., Any])


@attrs.frozen
class FaultKind:
    """A kind of fault."""

    sentence: str  # what the client sees
    executed: str  # whether the call is executed, for people
    act: Callable[..., Any]  # answers the call; about webhooks: how many more times to send one
    about: str | None  # the only operation that it applies to, if there is one
    fields: Mapping[str, bool]  # its fields of a fault, and whether it needs them


KINDS: dict[str, FaultKind] = {}
"""All kinds of faults, by their names."""


def _kind(executed: str, about: str | None = None) -> Callable[[_Act], _Act]:
    def decorate(act: _Act) -> _Act:
        found = inspect.signature(act).parameters.values()
        fields = {each.name: each.default is each.empty for each in found if each.name != "call"}
        KINDS[act.__name__] = FaultKind(act.__doc__ or "", executed, act, about, fields)
        return act

    return decorate


@_kind("yes")
async def latency(call: Call, seconds: float, when: str = "before") -> _Answer:
    """The answer is `seconds` late."""
    await call.fire()
    if when == "before":
        await call.delays.sleep(seconds)
    response = await call.proceed()
    if when == "after":
        await call.delays.sleep(seconds)
    return response


@_kind('no; yes with `when="after"`')
async def status(
    call: Call,
    status: int,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    when: str = "before",
) -> _Answer:
    """Another status."""
    await call.fire(when)
    if body is None:
        answer = json_response({"detail": _phrase(status)}, status)
    else:
        # surrogateescape lets a rule send bytes that are not UTF-8.
        content = body.encode("utf-8", "surrogateescape")
        answer = web.Response(body=content, status=status, content_type="application/json")
    answer.headers.update(headers or {})
    return answer


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # not a registered status, such as 520
        return f"Status {status}"


@_kind("yes")
async def lost_reply(call: Call, by: str = "fin") -> _Answer:
    """The connection closes without an answer."""
    await call.fire("after")
    raise ConnectionLostError(by)


@_kind("later")
async def late_commit(call: Call, seconds: float, by: str = "fin") -> _Answer:
    """The same, and the task appears `seconds` later."""
    call.delays.start(seconds, call.proceed)
    await call.fire()
    raise ConnectionLostError(by)


@_kind("yes", about="run_task")
async def list_lag(call: Call, seconds: float) -> _Answer:
    """list-tasks shows a new task `seconds` late."""
    response = await call.proceed()
    body = await call.body_of(response)
    if body is not None and response.status == 200 and REPLAYED_HEADER not in response.headers:
        await call.fire()  # else no task was created
        call.delays.hide_task(read_json(body)["id"], seconds)
    return response


@_kind('no; yes with `when="after"`')
async def reset(call: Call, when: str = "before") -> _Answer:
    """The connection is reset."""
    await call.fire(when)
    raise ConnectionLostError("rst")


@_kind("yes")
async def truncate(call: Call, at_byte: int, by: str = "fin") -> _Answer:
    """The body ends after `at_byte` bytes, whatever its Content-Length says."""
    response = await call.proceed()
    body = await call.body_of(response)
    if body is None or at_byte >= len(body):
        return response
    await call.fire()
    with contextlib.suppress(ConnectionError):
        part = await call.start(response, len(body))
        await part.write(body[:at_byte])
    raise ConnectionLostError(by)


@_kind('yes; no with `when="before"`')
async def garbage(call: Call, body: str = _GARBAGE, when: str = "after") -> _Answer:
    """Bytes that are not HTTP."""
    await call.fire(when)
    raise ConnectionLostError("fin", body.encode("utf-8", "surrogateescape"))


@_kind("yes")
async def drip(call: Call, bytes_per_second: float) -> _Answer:
    """The body comes slowly."""
    response = await call.proceed()
    body = await call.body_of(response)
    if not body:
        return response
    await call.fire()
    size = max(1, int(bytes_per_second * _SLICE_SECONDS))
    try:
        dripping = await call.start(response, len(body))
        for start in range(0, len(body), size):
            await call.delays.sleep(size / bytes_per_second if start else 0.0)
            await dripping.write(body[start : start + size])
        await dripping.write_eof()
    except ConnectionError:  # the client has closed the connection
        raise ConnectionLostError("fin") from None
    return dripping


@_kind("yes")
async def content_type(call: Call, content_type: str) -> _Answer:
    """The right body with a wrong type."""
    response = await call.proceed()
    await call.fire()
    response.headers["Content-Type"] = content_type
    return response


@_kind("yes", about=WEBHOOK)
def duplicate_webhook(count: int = 1) -> int:
    """A webhook's event comes `count` times more."""
    return count


def _field(kind: Kind, default: Any = None) -> Any:
    def check(_fault: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        # None is a field that was not given; the kind of fault decides which are required.
        if value is not None:
            kind.check(field.name, value)

    return attrs.field(default=default, kw_only=True, validator=check, metadata={Kind: kind})


def _known_kind(value: str) -> str:
    check_word("kind", value, KINDS)
    return value


@names_its_fields
@attrs.frozen
class Fault:
    """A fault of some calls to a bundled server.

    Raises:
        ConfigurationError: A field has a value that it cannot have, is missing, or is none of
            this kind. The text begins with the field's name.
    """

    kind: str = attrs.field(converter=_known_kind)
    operations: tuple[str, ...] | None = attrs.field(default=None, converter=checks.operations)
    calls: tuple[int, ...] | None = attrs.field(default=None, converter=checks.calls, kw_only=True)
    first: int | None = _field(COUNT)
    probability: float = _field(checks.PROBABILITY, 1.0)
    seed: int = _field(whole(-math.inf), 0)
    name: str | None = _field(checks.LINE)
    when: str | None = _field(one_of("before", "after"))
    seconds: float | None = _field(checks.SECONDS)
    status: int | None = _field(whole(200, 599))
    headers: Mapping[str, str] | None = _field(checks.HEADERS)
    body: str | None = _field(TEXT)
    by: str | None = _field(one_of("fin", "rst"))
    at_byte: int | None = _field(whole(0))
    bytes_per_second: float | None = _field(checks.SPEED)
    content_type: str | None = _field(checks.LINE)
    count: int | None = _field(COUNT)

    def __attrs_post_init__(self) -> None:
        if self.calls is not None and self.first is not None:
            raise ConfigurationError("first: either calls or first says which calls")
        own = KINDS[self.kind].fields
        for field in {name for each in KINDS.values() for name in each.fields}:
            is_given = getattr(self, field) is not None
            if is_given and field not in own:
                raise ConfigurationError(f"{field}: a fault of kind {self.kind} has none")
            if not is_given and own.get(field):
                raise ConfigurationError(f"{field}: a fault of kind {self.kind} needs it")
        if self.about is not None and self.operations not in {None, (self.about,)}:
            message = f"operations: a fault of kind {self.kind} is about {self.about}"
            raise ConfigurationError(message)

    @property
    def about(self) -> str | None:
        """The only operation that its kind applies to, for kinds that have one."""
        return KINDS[self.kind].about

    @property
    def label(self) -> str:
        """The key in the counts: the name, else `kind operation,operation`."""
        return self.name or " ".join([self.kind, *filter(None, [",".join(self.operations or ())])])

    def concerns(self, operation: str) -> bool:
        """Whether the rule is for this operation."""
        if self.about is not None:
            return operation == self.about
        # File and upload routes have faults only if a rule names them.
        return operation in (checks.API_OPERATIONS if self.operations is None else self.operations)

    def picks(self, number: int) -> bool:
        """Whether the rule selects the call with this number, before any probability."""
        if self.first is not None:
            return number <= self.first
        return self.calls is None or number in self.calls

    def act(self, *call: Call) -> Any:
        """Do what its kind does: answer a call, or count what is sent once more."""
        given = {name: getattr(self, name) for name in KINDS[self.kind].fields}
        given = {name: value for name, value in given.items() if value is not None}
        return KINDS[self.kind].act(*call, **given)
