"""From the bytes of a task with 75 steps to an object, against json and pydantic.

The text is laid out as the service's framework does it, without white space. Without orjson is
measured in a process that cannot import it.
"""

import asyncio
import gc
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Any

from browser_use_sdk.generated.v2.models import TaskView
from pydantic import BaseModel

from benchmarks.harness import FULL, QUICK, Effort, Report, compare, table
from benchmarks.peers import version_2
from benchmarks.servers.fake import LongTask
from browser_use_async.api.endpoint_table import GET_TASK
from browser_use_async.api.serialization import decode_response

STEPS = 75
REPEATS = 200
KEPT = 50


class Step(BaseModel):
    """The same fields as in this package."""

    id: str
    step: int
    evaluation_previous_goal: str
    next_goal: str
    url: str


class Task(BaseModel):
    """The same fields as in this package."""

    id: str
    task: str
    status: str
    created_at: datetime
    output: str | None
    steps: list[Step]
    live_url: str | None
    finished_at: datetime | None
    browser_data: dict[str, Any] | None
    user_uploaded_files: list[str] | None
    output_files: list[str] | None
    public_share_url: str | None
    metadata: dict[str, str] | None


def bodies() -> tuple[bytes, bytes]:
    """The same task as version 1 and as version 2 of the API write it."""

    async def finished() -> dict[str, Any]:
        life = ((0.0, "running"), (60.0, "finished"))
        return LongTask(life=life, born=-60.0, steps=STEPS).whole()

    v1 = asyncio.run(finished())
    v2 = version_2.whole(v1)
    for value in (v1, v2):
        for step in value["steps"]:
            step["url"] += "&session=" + "a8c1" * 160  # long, as shops make them: 88 KB in all
    return _compact(v1), _compact(v2)


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


V1, V2 = bodies()
SIDES: dict[str, tuple[str, Callable[[], object]]] = {
    "ours": ("**browser-use-async**", lambda: decode_response(GET_TASK, V1)),
    "pydantic": ("json + pydantic, same fields", lambda: Task.model_validate(json.loads(V1))),
    "official": (
        "json + browser-use-sdk's `TaskView` (version 2)",
        lambda: TaskView.model_validate(json.loads(V2)),
    ),
    "json": ("json alone, no types", lambda: json.loads(V1)),
}


def _time(decode: Callable[[], object]) -> float:
    decode()
    gc.collect()
    started = time.process_time()
    for _ in range(REPEATS):
        decode()
    return (time.process_time() - started) / REPEATS * 1e6


def _memory(decode: Callable[[], object]) -> float:
    decode()
    gc.collect()
    tracemalloc.start()
    kept = [decode() for _ in range(KEPT)]
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / len(kept) / 1024


Figures = dict[str, list[float]]


def measure(rounds: int) -> tuple[Figures, Figures]:
    """Microseconds and kilobytes of every side."""
    times: Figures = {name: [] for name in SIDES}
    sizes: Figures = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, (_label, decode) in SIDES.items():
            times[name].append(_time(decode))
            sizes[name].append(_memory(decode))
    return times, sizes


WITHOUT_ORJSON = """
import json, sys
sys.modules["orjson"] = None
from benchmarks.decoding import measure
print(json.dumps(measure(int(sys.argv[1]))))
"""


def measure_without_orjson(rounds: int) -> Figures:
    """Microseconds of every side in a process in which orjson cannot be imported."""
    command = [sys.executable, "-c", WITHOUT_ORJSON, str(rounds)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times: Figures = json.loads(output)[0]
    return times


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    times, sizes = measure(effort.rounds)
    plain_times = measure_without_orjson(effort.rounds)
    label = SIDES["pydantic"][0]
    what = f"decoding a task of {STEPS} steps"
    rows = [
        compare(
            f"{what}, with orjson",
            "µs",
            (label, times["ours"], times["pydantic"]),
            at_most=0.6,
        ),
        compare(
            f"{what}, without orjson",
            "µs",
            (label, plain_times["ours"], plain_times["pydantic"]),
            at_most=1.0,
        ),
        compare(f"{what}: memory", "KB", (label, sizes["ours"], sizes["pydantic"]), at_most=0.7),
    ]
    lines = [
        [SIDES[name][0], f"{median(times[name]):.0f}", f"{median(sizes[name]):.0f}"]
        for name in SIDES
    ]
    ours = [f"{SIDES['ours'][0]} without orjson", f"{median(plain_times['ours']):.0f}", "-"]
    lines.insert(1, ours)
    head = [f"a task of {STEPS} steps, {len(V1) / 1000:.0f} KB", "µs", "KB per object"]
    return Report(rows, table(head, lines))


if __name__ == "__main__":
    print(report(QUICK if "--quick" in sys.argv else FULL).details)
