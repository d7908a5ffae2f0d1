"""Each option of what users construct and call, with values of every wrong type."""

import inspect
import math
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from browser_use_async import CallLimits, PollPolicy, RetryPolicy, errors
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.webhooks import Webhook
from browser_use_async.testing import (
    Fault,
    Scenario,
    ScriptedExecutor,
    ScriptedStep,
)

LINE = 300  # characters
URL = "http://127.0.0.1:9/api/v1"


class Odd:
    """A value that no option accepts."""


ODD = Odd()
VALUES: tuple[Any, ...] = (
    *("x", "", b"x", 5, -1, 1.5, math.nan, math.inf, True, None, ODD, Odd, len),
    *([], (), ["x"], [5], [ODD], {}, {"a": "b"}, {"a": 5}, {5: 5}),
)
Fits = Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# Valid values, described independently of the package's checks.
FITS: dict[str, Fits] = {
    "flag": lambda value: isinstance(value, bool),
    "count": lambda value: value == 5,
    "seconds": lambda value: _number(value) and value >= 0,
    "whole": lambda value: _number(value) and isinstance(value, int),
    "text": lambda value: isinstance(value, str),
    "word": lambda _value: False,  # one of a few, none of which is among the values
    "object": lambda _value: False,
    "none": lambda value: value is None,
    "empty": lambda value: value in ([], (), {}) and not isinstance(value, dict),
    "texts": lambda value: value in ([], (), ["x"]) and not isinstance(value, dict),
    "dict": lambda value: value == {},
    "pairs": lambda value: value in ({}, {"a": "b"}) and isinstance(value, dict),
    "names": lambda value: isinstance(value, dict) and 5 not in value,
    "mapping": lambda value: isinstance(value, dict),
    "function": callable,
    "iterable": lambda value: value in ([], (), {}),
}

POLICIES: list[tuple[Callable[..., object], Mapping[str, Any], Mapping[str, str]]] = [
    (
        PollPolicy,
        {},
        {
            **dict.fromkeys(("interval", "timeout", "outage_timeout"), "seconds"),
            "latency_target": "seconds none",
            **dict.fromkeys(("shared", "long_poll"), "flag"),
        },
    ),
    (
        RetryPolicy,
        {},
        {
            "max_attempts": "count",
            **dict.fromkeys(("base_delay", "max_delay", "retry_after_cap"), "seconds"),
            "budget": "seconds none",
        },
    ),
    (
        CallLimits,
        {},
        {"max_in_flight": "count", "calls_per_second": "seconds none", "slot_timeout": "seconds"},
    ),
    (
        Scenario,
        {},
        {
            "steps": "texts",
            **dict.fromkeys(("step_seconds", "start_delay", "queue_delay", "end_delay"), "seconds"),
            "outcome": "word",
            "files": "dict",
            "cookies": "empty",
            "hangs": "flag",
            "recordings": "dict",
        },
    ),
    (
        ScriptedStep,
        {"next_goal": "Look"},
        {
            **dict.fromkeys(("next_goal", "url", "asks_for"), "text"),
            "evaluation_previous_goal": "text",
            "seconds": "seconds none",
        },
    ),
    (ScriptedExecutor, {}, {"scenarios": "dict none", "default": "object"}),
    (
        Fault,
        {"kind": "latency", "seconds": 1},
        {
            "kind": "word",
            "when": "word none",
            "first": "count none",
            "probability": "none",
            "seed": "whole none",
            "seconds": "seconds",
        },
    ),
]
RUN_MANY = {
    "task": "text none",
    "concurrency": "count",
    "budget_cents": "none",
    **dict.fromkeys(("retry_failed", "retry_unknown"), "flag"),
    "on_cancel": "word none",
    "on_progress": "function none",
    "timeout": "seconds none",
    "max_failures": "count none",
    "labels": "mapping none",
    "key_prefix": "text none",
    **dict.fromkeys(("limit_by", "per_key"), "none"),
    **dict.fromkeys(("secrets", "metadata"), "pairs none"),
    "max_agent_steps": "count none",
    "use_proxy": "flag none",
    "script": "text none",
}


def _cases(
    options: Mapping[str, str], *, without: tuple[str, ...] = ()
) -> list[tuple[str, Any, bool]]:
    return [
        (name, value, any(FITS[kind](value) for kind in kinds.split()))
        for name, kinds in options.items()
        if name not in without
        for value in VALUES
    ]


def _check(error: BaseException | None, name: str, value: Any, *, fits: bool) -> None:
    """A wrong value is one line that names the option, and no error of Python."""
    what = f"{name}={value!r}: {error!r}"
    if error is None:
        assert fits, what
        return
    assert isinstance(error, errors.BrowserUseError), what
    text = str(error)
    assert name in text, what
    assert "\n" not in text, what
    assert len(text) <= LINE, what
    assert pickle.loads(pickle.dumps(error)).args == error.args
    # 0 is a number of seconds, and invalid for some options; other bounds are tested elsewhere.
    if fits:
        assert "must " in text or "is no" in text or "needs" in text, what


def _raised(make: Callable[[], object]) -> BaseException | None:
    try:
        make()
    except Exception as error:  # noqa: BLE001 - is looked at
        return error
    return None


@pytest.mark.parametrize(
    ("made", "base", "options"),
    POLICIES,
    ids=[getattr(each[0], "__qualname__", "") for each in POLICIES],
)
def test_what_is_constructed(made, base, options):
    """Each value is refused by the constructor, unless it is of the option's type."""
    assert set(options) <= set(inspect.signature(made).parameters)
    for name, value, fits in _cases(options):
        error = _raised(lambda name=name, value=value: made(**{**base, name: value}))  # type: ignore[misc]
        _check(error, name, value, fits=fits)


@pytest.mark.parametrize("made", [ServerSettings, ChromiumSettings, AgentSettings, Webhook])
def test_each_setting_of_a_server(made):
    """No setting accepts a wrong value, and none raises an error of Python."""
    base = {"url": URL, "secret": "s" * 20} if made is Webhook else {}
    for name in inspect.signature(made).parameters:
        for value in VALUES:
            error = _raised(lambda n=name, v=value: made(**{**base, n: v}))  # type: ignore[misc]
            refusal = error is None or isinstance(error, errors.ConfigurationError)
            assert refusal, f"{name}={value!r}: {error!r}"
            assert error is None or "\n" not in str(error)
            assert error is not None or value is not ODD or name == "search", name


@pytest.mark.parametrize("value", [each for each in VALUES if each not in (None, "")])
def test_sources_of_searches(value):
    """The server checks it when it creates a backend of it."""
    error = _raised(lambda: LocalServer(search=value))
    assert isinstance(error, errors.ConfigurationError)
    assert str(error).startswith("search must be the address of a website to index, a list of")


@pytest.fixture
def server_options():
    """A server that finishes each task at once."""
    return {"executor": ScriptedExecutor(default=Scenario(step_seconds=0))}


@pytest.fixture
def session_options(server):
    """A session with it."""
    return {"api_key": server.api_key, "base_url": server.base_url}


async def _awaited(made: Any) -> BaseException | None:
    try:
        made = made()
        if inspect.isawaitable(made):
            await made
        elif hasattr(made, "__aiter__"):
            async for _each in made:
                break
            await made.aclose()
    except Exception as error:  # noqa: BLE001 - is looked at
        return error
    return None


async def test_options_of_a_batch(session):
    """All are refused at the call of `run_many`, and nothing is sent."""
    for name, value, fits in _cases(RUN_MANY):
        error = _raised(lambda n=name, v=value: session.run_many(["Tea"], **{n: v}))  # type: ignore[misc]
        _check(error, name, value, fits=fits)


async def test_options_of_calls(session):
    """Wrong values are refused before anything is sent."""
    calls: list[tuple[Callable[..., Any], dict[str, Any], dict[str, str]]] = [
        (
            session.run_and_wait,
            {"task": "Tea"},
            {
                "on_timeout": "word",
                "on_cancel": "word none",
                "on_created": "none",
            },
        ),
        (session.attach, {}, {"receiver": "object"}),
        (session.budget, {}, {"cents": "seconds"}),
    ]
    for call, base, options in calls:
        for name, value, fits in _cases(options):
            # Valid values are sent, and functions are called: that is tested elsewhere.
            if not fits and not callable(value):
                error = await _awaited(lambda n=name, v=value: call(**{**base, n: v}))  # type: ignore[misc] # noqa: B023
                _check(error, name, value, fits=False)
