import ast
import asyncio
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from browser_use_async.server import LocalServer

pytestmark = pytest.mark.timeout(120)

EXAMPLES = Path(__file__).parents[2] / "examples"

EXPECTED = {
    "quickstart.py": (
        *(r"status: finished", r"answer: \S", r"steps:  \d in [\d.]+ s\n"),
        r"cost:   [\d.]+ cents\n\Z",
    ),
    "structured_output.py": (
        *(r"title: \S", r"about: \S", r"link:  .* -> http://127\.0\.0\.1:"),
        r"cost:  [\d.]+ cents\n\Z",
    ),
    "stream_progress.py": (
        r"\Awatch it at: http://127\.0\.0\.1:\d+/live/\S+",
        r"session\.handle\(\) takes: \S",
        r"step 1: ",
        r"status: finished",
        r"answer: \S",
        r"took:   [\d.]+ s and [\d.]+ cents\n\Z",
    ),
    "watch_live.py": (
        r"\Awatch and steer it at: (http://127\.0\.0\.1:\d+/live/\S+)\n",
        r'or embed it: <iframe src="http://127\.0\.0\.1:\d+/live/\S+" width="600" height="450"',
        r"step 1: \S",
        r"who can only watch: http://127\.0\.0\.1:\d+/share/\S+",
        r"answer: \S",
    ),
    "self_hosted_real_browser.py": (
        r"no real browser: no Chromium or Chrome was found|answer: Sent\(name='Ada', topic='A rep",
        r"no real browser: |files: price-list\.csv, 11 pictures, [01] films\n\Z",
    ),
    "files_in_and_out.py": (
        r"answer: Saved report\.csv: 3 rows of orders\.csv\.\ncost:   [\d.]+ cents\n",
        r"downloaded (\d+) of \1 bytes",
        r"report\.csv:\nItem,Pieces,Price\nBicycle bell,3,12\.50\n",
    ),
    "schedule_every_morning.py": (
        r"\Afirst run: \S+ 08:00:00\+00:00\n",
        r"on weekdays only: \S+ 06:30:00\+00:00\n",
        r"active: False\n",
        r"there is: (\S+) 30 6 \* \* 1-5\ndeleted: \1\n\Z",
    ),
    "search.py": (
        r"\Aone website, 2 cents:\n  http://127\.0\.0\.1:\d+/\n    \S",
        r"up to 2 websites, 4 cents:\n  http://127\.0\.0\.1:\d+/contact\.html\n    \S",
    ),
    "testing_with_faults.py": (
        r"is lost:\n    finished with 1 task\n",
        r"calls fail:\n    finished with 2 tasks in all\n    happened: .*'status run_task': 1",
        r"PaymentRequiredError with 2 tasks in all",
    ),
    "webhook_aiohttp.py": (
        r"\Aregistered; the test event says \{'test': 'ok'\}\norder 4711 is initializing\n",
        r"\norder 4711 is started\norder 4711 is finished\n",
        r"'finished': 1\}\n\Z",
    ),
    "webhook_fastapi.py": (
        r"order 4711: started\n(?:.*\n)*order 4711: finished\n",
        r"order 4712: started\n(?:.*\n)*order 4712: failed\n",
        r"would answer \{'order': '4711', 'status': 'finished'\} ",
        r" \{'order': '4712', 'status': 'failed'\} \{'order': '4713', 'status': 'failed'\}\n\Z",
    ),
    "webhook_wakes_wait.py": (
        r"\Awoken \d+ ms after the event at the latest\n",
        r"\n2\d requests to learn of 20 ends\n\Z",
    ),
    "batch_from_csv.py": (
        r"(?m)^prices: \S",
        r"(?m)^about again: \S",
        r"5 ended, 0 running, \d+\.\d cents\n\Z",
    ),
    "worker_that_must_not_pay_twice.py": (
        r"killed after \d+ tasks",
        r"[1-9]\d* answers lost, 2 workers killed\n20 jobs, 20 done, 20 tasks paid for\n\Z",
    ),
    "langchain_tool.py": (
        r"\Aanswer: \S",
        r"answer: The task was not done: POST /run-task may cost up to $0.51 .*; nothing was sent",
    ),
    "pydantic_ai_tool.py": (r"\Aanswer: The title is: \S", r"tool calls: 1\n\Z"),
    "pandas_frame.py": (
        r"start +\S.* finished\n",
        r"gone +NaN +failed\n",
        r"costs: \d+\.\d cents\n\Z",
    ),
    "dbos_workflow.py": (
        r"\Akilled with exit code -9\nDBOS recovers the workflow\nanswer: Paid\.\n",
        r"\nended with exit code 0\ntasks paid for: 1\n\Z",
    ),
    "prefect_flow.py": (
        r"\Akilled with exit code -9\nthe flow is run anew\nanswers: \['Paid\.'\]\n",
        r"\nended with exit code 0\ntasks paid for: 1\n\Z",
    ),
    "procrastinate_worker.py": (
        r"\Akilled with exit code -9\nthe job is given out anew\nattempt 2: Paid\.\n",
        r"\nended with exit code 0\ntasks paid for: 1\njobs: \['succeeded'\]\n\Z",
    ),
    "many_tasks.py": (
        r"tell me its title\n    \S.*\n    [\d.]+ cents\n",
        r"TaskFailedError: .* has (?:no link|nothing to click)",
    ),
}
"""What the output of each example contains, in any order."""


NEEDS = {
    "langchain_tool.py": ("langchain_core",),
    "pydantic_ai_tool.py": ("pydantic_ai",),
    "pandas_frame.py": ("pandas",),
    "dbos_workflow.py": ("dbos",),
    "prefect_flow.py": ("prefect",),
}
"""Packages that only one example needs, by its name; without them it is not run."""

WITH_POSTGRES = {"procrastinate_worker.py"}


async def _output(name: str, **variables: str) -> str:
    """The output of an example that ends with exit code 0 and without a warning."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("BROWSER_USE")}
    # A server logs what it removes of killed servers, and other tests kill some. The path is short,
    # because browsers create sockets there.
    temporary = tempfile.mkdtemp(prefix="bua-")
    # A server that runs as root starts its browser as another user.
    Path(temporary).chmod(0o711)  # noqa: ASYNC240 - it takes microseconds
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(EXAMPLES / name)),
        env={**own, **variables, "TMPDIR": temporary},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(100):  # only one that hangs takes so long
            stdout, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        shutil.rmtree(temporary, ignore_errors=True)

    assert stderr == b""
    assert process.returncode == 0
    return stdout.decode()


QUICK = {"search.py", "schedule_every_morning.py", "webhook_aiohttp.py"}
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.torture) for name in EXPECTED]


@pytest.mark.long
@pytest.mark.parametrize("name", EACH)
async def test_without_a_key(name, request):
    """Each example runs unchanged: it starts the bundled server where nothing is configured."""
    for package in NEEDS.get(name, ()):
        pytest.importorskip(
            package, reason=f"{package} is not installed: `make test-examples` has it"
        )
    database = {}
    if name in WITH_POSTGRES:
        database["DATABASE_URL"] = request.getfixturevalue("postgres")
    output = await _output(name, **database)

    for pattern in EXPECTED[name]:
        assert re.search(pattern, output), f"{pattern!r} is not in:\n{output}"


@pytest.mark.long
async def test_without_the_key_of_the_step_it_is_paid_twice(tmp_path):
    """The control: the same workflow without its key, killed in the same way, pays twice."""
    pytest.importorskip("dbos", reason="dbos is not installed: `make test-examples` has it")
    whole = (EXAMPLES / "dbos_workflow.py").read_text()
    program = tmp_path / "dbos_workflow.py"
    program.write_text(whole.replace(", key=key)", ")"))

    output = await _output(str(program), PYTHONPATH=str(EXAMPLES))

    assert "key=key" in whole
    assert output.endswith("tasks paid for: 2\n")


@pytest.mark.long
async def test_with_a_configured_server():
    """With a key and a base URL in the environment the task goes there, and nowhere else."""
    async with LocalServer(executor="scripted") as server:
        output = await _output(
            "quickstart.py",
            BROWSER_USE_API_KEY=server.api_key,
            BROWSER_USE_BASE_URL=server.base_url,
        )

    assert "answer: Done." in output
    assert [record.task for record in server.store.tasks] == [
        "Open https://example.com and tell me its title"
    ]


def test_each_example_is_run():
    """Each example is run by a test, and says how to run it."""
    names = {path.name for path in EXAMPLES.glob("*.py") if not path.name.startswith("_")}

    assert names == {*EXPECTED, "fastapi_app.py"}
    for name in names:
        docstring = ast.get_docstring(ast.parse((EXAMPLES / name).read_text())) or ""
        assert re.search(r"^    (python|uvicorn) ", docstring, re.MULTILINE), name
