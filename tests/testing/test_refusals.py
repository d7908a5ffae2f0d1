"""The refusals of the testing kit: a mistake fails where it is written."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.testing import (
    Fault,
    LocalServer,
    Scenario,
    ScriptedExecutor,
    ScriptedStep,
    ThreadedServer,
)

# Values of an untyped program, which no checker has seen.
scenario: Callable[..., Any] = Scenario
step: Callable[..., Any] = ScriptedStep
executor: Callable[..., Any] = ScriptedExecutor
fault: Callable[..., Any] = Fault
server: Callable[..., Any] = LocalServer

SCENARIOS: dict[str, Callable[[], object]] = {
    "Scenario.outcome: 'fail' is not known; did you mean 'failed'?": lambda: scenario(
        outcome="fail"
    ),
    "Scenario.outcom: there is no such name; did you mean 'outcome'?": lambda: scenario(
        outcom="failed"
    ),
    "Scenario.steps: 'abc' is no list of steps": lambda: scenario(steps="abc"),
    "Scenario.steps[1]: 5 is not a ScriptedStep, nor a text": lambda: scenario(steps=["a", 5]),
    "Scenario.step_seconds: '1' is no number from 0": lambda: scenario(step_seconds="1"),
    "Scenario.end_delay: -1 is no number from 0": lambda: scenario(end_delay=-1),
    "Scenario.output: it cannot be written as JSON": lambda: scenario(output={1, 2}),
    'Scenario.reason: a task that finishes has none; add outcome="failed"': lambda: scenario(
        reason="no such page"
    ),
    "Scenario.files: ['a.csv'] are no values by name": lambda: scenario(files=["a.csv"]),
    "Scenario.files['a.csv']: 'text' is no bytes": lambda: scenario(files={"a.csv": "text"}),
    "Scenario.recordings: 'avi' is none of mp4, webm": lambda: scenario(recordings={"avi": b""}),
    "Scenario.cookies[0]: 'a=b' are no values by name": lambda: scenario(cookies=["a=b"]),
    "Scenario.hangs: 'no' is neither True nor False": lambda: scenario(hangs="no"),
    "ScriptedStep.screenshot: 'a.png' is no bytes": lambda: step("Look", screenshot="a.png"),
    "ScriptedStep.url: ['a', 'b'] is no text; join its lines": lambda: step("Look", url=["a", "b"]),
    "ScriptedStep.second: there is no such name; did you mean 'seconds'?": lambda: step(
        "Look", second=1
    ),
    "ScriptedExecutor.scenarios['a']: 'b' is not a Scenario; did you mean Scenario(output='b')?": (
        lambda: executor({"a": "b"})
    ),
    "ScriptedExecutor.default: 'b' is not a Scenario": lambda: executor({}, "b"),
    "ScriptedExecutor.scenarios: Scenario(": lambda: executor(scenario()),
}
OTHERS: dict[str, Callable[[], object]] = {
    "kind: 'lost_repl' is not known; did you mean 'lost_reply'?": lambda: fault("lost_repl"),
    "operations: 'run_tsk' is not known; did you mean 'run_task'?": lambda: fault(
        "lost_reply", "run_tsk"
    ),
    "Fault.statu: there is no such name; did you mean 'status'?": lambda: fault(
        "status", statu=429
    ),
}


class HalfAnExecutor:
    """An object that can run a task, and has no other method."""

    async def run(self, *_given: object) -> AsyncIterator[object]:
        """Do nothing."""
        yield None

    def __repr__(self) -> str:
        return "HalfAnExecutor"


SERVERS: dict[str, dict[str, Any]] = {
    "LocalServer.port: 'x' is no whole number": {"port": "x"},
    "LocalServer.balence_cents: there is no such name; did you mean 'balance_cents'?": {
        "balence_cents": 5
    },
    "LocalServer.balance_cents: '5' is no amount in US cents": {"balance_cents": "5"},
    "LocalServer.faults[0]: 'reset' is not a Fault; did you mean Fault('reset')?": {
        "faults": ["reset"]
    },
    "LocalServer.webhooks[0]: 'http://a' is not a Webhook": {"webhooks": ["http://a"]},
    "there is no executor 'scriptd'; did you mean 'scripted'?": {"executor": "scriptd"},
    "LocalServer.executor: Scenario(": {"executor": Scenario()},
    "LocalServer.executor: <class": {"executor": ScriptedExecutor},
    "LocalServer.executor: HalfAnExecutor has no check; let its class inherit from": {
        "executor": HalfAnExecutor()
    },
    "LocalServer.recordings: 'no' is neither True nor False": {"recordings": "no"},
}


@pytest.mark.parametrize("says", SCENARIOS)
def test_a_scenario_that_cannot_be_meant(says):
    """A wrong scenario is refused by its constructor; the sentence begins with the field."""
    with pytest.raises(ConfigurationError) as caught:
        SCENARIOS[says]()

    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("says", OTHERS)
def test_a_fault_that_cannot_be_meant(says):
    """So are faults."""
    with pytest.raises(ConfigurationError) as caught:
        OTHERS[says]()

    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("kind", [LocalServer, ThreadedServer])
@pytest.mark.parametrize("says", SERVERS)
def test_a_server_that_cannot_be_meant(says, kind):
    """So are options of a server, before a file or a port is opened."""
    with pytest.raises(ConfigurationError) as caught:
        kind(**SERVERS[says])

    assert str(caught.value).startswith(says)


def test_faults_that_are_set_later():
    """`set_faults` takes a list of faults and nothing else, and an error leaves the old ones."""
    known = Fault("reset")
    one = server(executor="scripted", faults=[known])

    for wrong, says in ((Fault("garbage"), "faults: Fault("), (["reset"], "faults[0]: 'reset'")):
        with pytest.raises(ConfigurationError) as caught:
            one.set_faults(wrong)
        assert str(caught.value).startswith(says)

    assert one.faults == (known,)
