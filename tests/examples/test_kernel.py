"""What a session shows in a kernel of Jupyter: progress, tables, pictures and short tracebacks."""

import asyncio
import re
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [pytest.mark.torture, pytest.mark.timeout(180)]  # a kernel is started

_SETUP = """
from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.server import LocalServer
from browser_use_async.testing import Scenario, ScriptedExecutor, ScriptedStep

executor = ScriptedExecutor({
    "Fail": Scenario(outcome="failed", reason="The page is on fire"),
    "Stumble": Scenario(outcome="failed", steps=["Look", "Fall"], step_seconds=0.6),
    "Stroll": Scenario(
        steps=["Look around", "Go on"], step_seconds=0.6, recordings={"mp4": b"film"}
    ),
})
server = await LocalServer(executor=executor).__aenter__()
poll = PollPolicy(interval=0.05, latency_target=0.1)
session = BrowserUseSession(server.api_key, base_url=server.base_url, poll=poll)
"""
_COLOURS = ("#2563eb", "#dc2626")
_HELPER = """
async def ask(what):
    return await session.run_and_wait(what)

async def ask_twice(what):
    await ask(what)
"""


_CELLS = {
    "setup": _SETUP,
    "helper": _HELPER,
    "failure": "await ask_twice('Fail')",
    "verbose": "%tb Verbose",
    "wait": "task = await session.run_and_wait('Stroll')",
    "short wait": "await session.run_and_wait('Buy milk')",
    "slow failure": "await session.run_and_wait('Stumble')",
    "steps": "task.steps",
    "handle": "handle = await session.submit('Stroll')\nhandle",
    "stream": "async for step in handle.stream_steps():\n    pass",
    "waits": "[await session.run_and_wait('Stroll') for _ in range(2)]",
    "batch": "await session.run_many(['Stroll 1', 'Stroll 2', 'Fail']).collect()",
    "tasks": "[each async for each in session.iterate_all_tasks()]",
    "picture": "await handle.get_screenshot()",
    "film": "await session.tasks.get_media(handle.id)",
    "off": "%env BROWSER_USE_PROGRESS=off",
    "no line": "await session.run_and_wait('Stroll 3'); None",
    "mixed": "[task, 3]",
    "numbers": "[1, 2]",
    "closed": "await session.aclose()\nawait session.run_and_wait('x')",
    "end": "await server.__aexit__(None, None, None)",
}


@pytest.fixture(scope="module")
def cells():
    """The outputs of all cells by their names; they ran once, in one kernel."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient: `make test-examples` has it")
    pytest.importorskip("ipykernel", reason="ipykernel: `make test-examples` has it")
    from nbformat import v4

    notebook = v4.new_notebook(cells=[v4.new_code_cell(each) for each in _CELLS.values()])
    lines: list[Any] = []

    class Client(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
        def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
            if message["msg_type"] in {"display_data", "update_display_data"}:
                lines.append(message["content"])
            return super().process_message(message, cell, cell_index)

    client = Client(notebook, timeout=60, kernel_name="python3", allow_errors=True)
    client.execute()
    shown = {name: cell.outputs for name, cell in zip(_CELLS, notebook.cells, strict=True)}
    return {**shown, "all lines": lines}


def _html(outputs: list[Any], place: int = -1) -> str:
    return str(outputs[place].data["text/html"])


def _bar(line: Any) -> tuple[float, float]:
    """How wide the parts of a bar are: of what is done, and of what failed."""
    text = line.data["text/html"]
    found = (re.search(rf"width: ([\d.]+)em; background: {each}", text) for each in _COLOURS)
    done, failed = (0.0 if each is None else float(each[1]) for each in found)
    return done, failed


def _lines(outputs: list[Any]) -> list[str]:
    """The lines of the one error of a cell, without colours."""
    (error,) = [each for each in outputs if each.output_type == "error"]
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback)).splitlines()


def test_a_wait_shows_one_line(cells):
    """It stays below the cell with the status and the seconds; a short wait shows none."""
    (line,) = cells["wait"]
    assert re.fullmatch(r"task \S+ · finished · \d+ s", line.data["text/plain"])
    assert _bar(line) == (12.0, 0.0)

    (result,) = cells["short wait"]
    assert result.output_type == "execute_result"
    assert "$0." in _html([result])  # its cost, of the session that submitted it


def test_a_failed_task_has_a_bar_of_its_own(cells):
    """Whole, and in the colour of failures."""
    line, _error = cells["slow failure"]
    assert "failed" in line.data["text/plain"]
    assert _bar(line) == (0.0, 12.0)


def test_a_stream_and_several_waits_show_one_line(cells):
    """One line for each cell, however many tasks it waits for."""
    (line,) = cells["stream"]
    assert "finished" in line.data["text/plain"]

    line, result = cells["waits"]
    assert line.data["text/plain"].startswith("2 of 2 tasks have ended · 2 finished · ")
    assert "Task: 2" in result.data["text/html"]


def test_a_batch_shows_how_far_it_is(cells):
    """With failures and costs; its results are a table with a line for each."""
    line, result = cells["batch"]
    assert line.data["text/plain"].startswith(
        "3 of 3 items have ended · done 2 · failed 1 · cost $0."
    )
    assert _bar(line) == (8.0, 4.0)
    assert re.search(r'href="http://127.0.0.1:\d+/batches\?name=[^"]+"', line.data["text/html"])
    lines = [each["data"]["text/plain"] for each in cells["all lines"]]
    batch = [each for each in lines if "of 3 items have ended" in each]
    assert "running" in batch[0]
    table = result.data["text/html"]
    assert "BatchResult: 3" in table
    assert table.count("<tr>") == 4
    assert "The page is on fire" in table
    assert "$0.085" in table


def test_lists_are_tables(cells):
    """Lists of steps and of tasks are shown as tables; any other list is shown as before."""
    steps = _html(cells["steps"])
    assert "TaskStep: 2" in steps
    assert "Look around" in steps
    tasks = _html(cells["tasks"])
    assert "TaskSummary: 10" in tasks

    assert "text/html" not in cells["mixed"][-1].data
    assert "text/html" not in cells["numbers"][-1].data


def test_a_handle_says_why_it_knows_no_status(cells):
    """After `submit` no status is known, because showing a handle makes no request."""
    assert "status not read yet (await handle.get_status())" in _html(cells["handle"])


def test_pictures_and_films_are_shown_on_request(cells):
    """A picture of a bounded width, and a link to the film."""
    (picture,) = cells["picture"]
    assert picture.data["image/png"].startswith("iVBORw0KGgo")
    assert picture.metadata["image/png"] == {"width": 640}
    film = _html(cells["film"])
    assert re.search(r'<a href="http://127\.0\.0\.1:\d+/[^"]+" [^>]*>watch the film</a>', film)


def test_an_expected_error_is_short(cells):
    """The program's own lines and the reason; `%tb Verbose` shows the frames of the package."""
    lines = _lines(cells["failure"])
    assert len(lines) <= 10
    assert lines[1] == "  Cell In[3], line 1"
    assert lines[3] == "  Cell In[2], line 5, in ask_twice"
    assert "The page is on fire" in lines[-1]
    assert any("lifecycle/run.py" in each for each in _lines(cells["verbose"]))

    lines = _lines(cells["closed"])
    assert len(lines) <= 10
    assert lines[-1] == "SessionClosedError: the session is closed; create a new one"


def test_progress_is_switched_off(cells):
    """By a variable, at any time."""
    assert cells["no line"] == []


@pytest.mark.parametrize(
    "start",
    [
        "import ipykernel",
        "import IPython, ipykernel",
        "from IPython.testing.globalipapp import start_ipython; start_ipython(); import ipykernel",
    ],
)
async def test_elsewhere_nothing_is_shown(start):
    """Where ipykernel is only imported, or IPython runs in a terminal, nothing is shown."""
    pytest.importorskip("ipykernel", reason="ipykernel: `make test-examples` has it")
    program = f"{start}; from browser_use_async import BrowserUseSession as S; print(S('bu_key'))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, said = await process.communicate()

    assert (process.returncode, said) == (0, b""), said
    assert out.startswith(b"<BrowserUseSession http")
