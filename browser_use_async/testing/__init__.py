"""Test code that uses the SDK: scripted servers and faults."""

# The fixtures come with the pytest plugin of this package. Names are loaded when they are first
# used.

from typing import TYPE_CHECKING

from browser_use_async.lazy import homes, load_on_first_use

if TYPE_CHECKING:
    from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
    from browser_use_async.server.faults import Fault
    from browser_use_async.server.local_server import LocalServer
    from browser_use_async.server.storage.records import TaskRecord
    from browser_use_async.server.threaded_server import ThreadedServer

__all__ = [
    "Fault",
    "LocalServer",
    "Scenario",
    "ScriptedExecutor",
    "ScriptedStep",
    "TaskRecord",
    "ThreadedServer",
]

_HOMES = homes(
    {
        "server.executors.scripted": "Scenario ScriptedExecutor ScriptedStep",
        "server.faults": "Fault",
        "server.local_server": "LocalServer",
        "server.storage.records": "TaskRecord",
        "server.threaded_server": "ThreadedServer",
    }
)

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES, source="browser_use_async")
