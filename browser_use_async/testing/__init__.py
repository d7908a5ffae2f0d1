"""Test code that uses the SDK: scripted servers, faults, and cassettes of whole tasks."""

# The fixtures come with the pytest plugin of this package. Names are loaded when they are first
# used.

from typing import TYPE_CHECKING

from browser_use_async.lazy import load_on_first_use

if TYPE_CHECKING:
    from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
    from browser_use_async.server.faults import Fault
    from browser_use_async.server.local_server import LocalServer
    from browser_use_async.server.storage.records import TaskRecord
    from browser_use_async.server.threaded_server import ThreadedServer
    from browser_use_async.testing.cassette import (
        Cassette,
        CassetteExecutor,
        RecordedStatus,
        RecordedStep,
        RecordedTask,
    )
    from browser_use_async.testing.cassette_recorder import CassetteRecorder

__all__ = [
    "Cassette",
    "CassetteExecutor",
    "CassetteRecorder",
    "Fault",
    "LocalServer",
    "RecordedStatus",
    "RecordedStep",
    "RecordedTask",
    "Scenario",
    "ScriptedExecutor",
    "ScriptedStep",
    "TaskRecord",
    "ThreadedServer",
]

_HOMES = {
    "Cassette": "testing.cassette",
    "CassetteExecutor": "testing.cassette",
    "CassetteRecorder": "testing.cassette_recorder",
    "Fault": "server.faults",
    "LocalServer": "server.local_server",
    "RecordedStatus": "testing.cassette",
    "RecordedStep": "testing.cassette",
    "RecordedTask": "testing.cassette",
    "Scenario": "server.executors.scripted",
    "ScriptedExecutor": "server.executors.scripted",
    "ScriptedStep": "server.executors.scripted",
    "TaskRecord": "server.storage.records",
    "ThreadedServer": "server.threaded_server",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES, source="browser_use_async")
