import asyncio
import json
import signal

import pytest

from browser_use_async import TaskStatus
from browser_use_async.api.submission_token import SubmissionToken
from tests.server.raw_server import page, raw_server
from tests.support.wire import Connection, WireServer, bound_socket, response

from .running import environment, run, running


@pytest.mark.long
async def test_finished(server):
    """A finished task is printed as JSON, after its live page and its steps, with exit code 0."""
    result = await run("run", "Look at the weather", env=environment(server))

    said = result.stderr.splitlines()
    assert result.code == 0
    assert result.json["status"] == "finished"
    assert result.json["output"] == "Done."
    assert [step["step"] for step in result.json["steps"]] == [1, 2]
    assert said[0] == f"watch live at {result.json['live_url']}"
    assert said[1:3] == ["step 1   Open the page", "step 2   Read what is on it"]
    assert said[3].startswith("finished after 2 steps and ")
    assert len(said) == 4


@pytest.mark.long
async def test_failed(server):
    """A task that fails is printed too, its reason is one line, and the exit code is 1."""
    result = await run("run", "Fail", env=environment(server))

    assert result.code == 1
    assert result.json["status"] == "failed"
    assert "error: task" in result.stderr.splitlines()[-1]
    assert "The page is on fire" in result.stderr.splitlines()[-1]


@pytest.mark.torture
async def test_stopped_by_another_program(server):
    """A task that another program stops ends with exit code 1."""
    async with running("run", "Hang", env=environment(server)) as command:
        await command.says("watch live at")
        task_id = server.store.tasks[0].id
        stopping = await run("stop", task_id, env=environment(server))
        result = await command.ends()

    assert stopping.code == 0
    assert result.code == 1
    assert result.json["status"] == "stopped"


@pytest.mark.long
async def test_every_field(server, recorder, tmp_path):
    """Options become fields of the request; a secret comes from the environment or a file."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"title": {"type": "string"}}}')
    (tmp_path / "pin").write_text("4711-secret\n")
    result = await run(
        *("run", "Log in", "--schema", str(schema), "--llm-model", "o3"),
        *("--max-agent-steps", "7", "--allowed-domain", "a.example"),
        *("--allowed-domain", "*.b.example", "--metadata", "team=red", "--metadata", "n=a=b"),
        *("--secret", "password=MY_PASSWORD", "--secret", f"pin=@{tmp_path / 'pin'}"),
        *("--no-adblock", "--proxy", "--proxy-country", "DE", "--no-highlight-elements"),
        *("--viewport-width", "800", "--viewport-height", "600", "--public-share"),
        env=environment(server, MY_PASSWORD="hunter2-secret"),
    )
    assignment = recorder.assignments[0]

    assert result.code == 0
    assert json.loads(assignment.structured_output_json or "") == json.loads(schema.read_text())
    assert assignment.llm_model == "o3"
    assert assignment.max_agent_steps == 7
    assert assignment.allowed_domains == ["a.example", "*.b.example"]
    assert {"team": "red", "n": "a=b"}.items() <= dict(assignment.metadata).items()
    assert assignment.secrets == {"password": "hunter2-secret", "pin": "4711-secret"}
    assert (assignment.use_adblock, assignment.use_proxy) == (False, True)
    assert assignment.proxy_country_code == "de"
    assert assignment.highlight_elements is False
    assert assignment.viewport == (800, 600)
    assert result.json["public_share_url"].startswith("http")
    assert "secret" not in result.stdout + result.stderr


async def test_detach(server):
    """`--detach` prints an id and a token at once, and another process can watch by either."""
    result = await run("run", "Hang", "--detach", env=environment(server))
    record = server.store.tasks[0]

    assert result.code == 0
    assert result.json["id"] == record.id
    assert not record.status.is_terminal
    assert f"browser-use-async watch {record.id}" in result.stderr
    assert "the task is created, status " in result.stderr


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ('"running"', "status running; to follow it: browser-use-async watch t-1\n"),
        ('"failed"', "status failed; to see its answer: browser-use-async tasks show t-1\n"),
        (None, "the task is created; to follow it: browser-use-async watch t-1\n"),
    ],
)
async def test_detach_says_what_was_seen(status, said):
    """A task can fail at once; the task exists also where no status was seen."""

    async def answer(connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            if request.target.endswith("/run-task"):
                connection.send(response(200, '{"id":"t-1"}'))
            elif request.target.endswith("/status") and status is None:
                connection.send(response(404, '{"detail":"Task not found"}'))
            else:
                connection.send(response(200, status or "{}"))

    async with WireServer(answer) as wire:
        env = environment(BROWSER_USE_BASE_URL=wire.url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("run", "Look", "--detach", env=env)

    assert (result.code, result.json["id"]) == (0, "t-1")
    assert result.stderr.endswith(said)


async def test_the_same_key_is_the_same_task(server):
    """The second call says that it has created nothing, also detached; other work is refused."""
    given = ("run", "Look at the weather", "--key", "weather-7")
    first = await run(*given, env=environment(server))
    again = await run(*given, env=environment(server))
    detached = await run(*given, "--detach", env=environment(server))
    other = await run("run", "Look elsewhere", "--key", "weather-7", env=environment(server))

    assert (first.code, again.code, detached.code, other.code) == (0, 0, 0, 3)
    assert first.json["id"] == again.json["id"] == detached.json["id"]
    assert server.tasks_created == 1
    assert "nothing was created now" not in first.stderr
    assert "nothing was created now" in again.stderr
    assert "the key names a task that exists already" in detached.stderr
    assert first.json["id"] in other.stderr
    assert "not the same: task" in other.stderr


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_what_is_no_submission_key(server, key):
    """It is refused with the rule, and nothing is sent."""
    result = await run("run", "x", "--key", key, env=environment(server))

    assert result.code == 2
    assert "--key: must be a text of 1 to 255 printable characters" in result.stderr
    assert not server.requests


async def test_timeout_before_the_task_is_sent(server):
    """The exit code is that of a timeout, not that of a server that cannot be reached."""
    result = await run("run", "x", "--timeout", "0.000001", env=environment(server))

    assert result.code == 124
    assert "the timeout ended before run-task was sent" in result.stderr
    assert server.tasks_created == 0


@pytest.mark.parametrize(
    ("fate", "status", "advice"),
    [
        ("leave", TaskStatus.RUNNING, "browser-use-async watch"),
        ("stop", TaskStatus.STOPPED, "asked to stop"),
        ("pause", TaskStatus.PAUSED, "browser-use-async resume"),
    ],
)
@pytest.mark.torture
async def test_timeout(server, fate, status, advice):
    """After the timeout the exit code is 124 and the task is left, stopped or paused."""
    words = ("run", "Hang", "--timeout", "10", "--on-timeout", fate)
    result = await run(*words, env=environment(server), seconds=50)
    record = server.store.tasks[0]

    assert result.code == 124
    assert result.json == {"id": record.id, "status": "running"}
    assert record.status is status
    assert "the time is up" in result.stderr
    assert advice in result.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "options", "code", "status"),
    [
        (signal.SIGINT, (), 130, TaskStatus.STOPPED),
        (signal.SIGTERM, (), 143, TaskStatus.STOPPED),
        (signal.SIGINT, ("--on-cancel", "leave"), 130, TaskStatus.RUNNING),
    ],
)
async def test_signal(server, number, options, code, status):
    """Ctrl-C stops the task at the server, says so, and exits with 128 + the signal's number."""
    async with running("run", "Hang", *options, env=environment(server)) as command:
        await command.says("step 1")
        command.send(number)
        result = await command.ends()

    record = server.store.tasks[0]
    assert result.code == code
    assert record.status is status
    assert record.id in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.torture  # where there is a browser it is started
async def test_local():
    """`--local` needs no key, and `{site}` is the address of the example site that it starts."""
    result = await run("run", "--local", "Open {site} and tell me its title", seconds=90)

    assert result.code == 0
    assert result.json["output"]
    assert "{site}" not in result.json["task"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("",), "task"),
        (("x", "--max-agent-steps", "201"), "--max-agent-steps: must be 200 or less"),
        (("x", "--max-agent-steps", "many"), "--max-agent-steps"),
        (("x", "--schema", "no/such/file"), "cannot be read"),
        (("x", "--schema", "{not json}"), "no JSON"),
        (("x", "--metadata", "colour"), "NAME=VALUE"),
        (("x", "--timeout", "0"), "greater than 0"),
        (("x", "--timeout", "5", "--detach"), "not allowed with"),
        (("x", "--local", "--detach"), "--detach"),
        (("x", "--base-url", "ftp://somewhere"), "http"),
        (("x", "--base-url", "http://192.0.2.1/api/v1"), "unencrypted"),
        (("x", "--api-key", "file:no/such/file"), "cannot be read"),
        (("x", "--api-key", ""), "empty"),
    ],
)
async def test_wrong_usage(server, words, problem):
    """Wrong arguments are explained with exit code 2, before anything is sent."""
    result = await run("run", *words, env=environment(server))

    assert result.code == 2
    assert problem in result.stderr
    assert result.stdout == ""
    assert not server.requests


async def test_secret_on_the_command_line(server):
    """A secret that is given in place of its variable is not in the message."""
    result = await run("run", "x", "--secret", "password=hunter2", env=environment(server))

    assert result.code == 2
    assert "'password'" in result.stderr
    assert "hunter2" not in result.stdout + result.stderr


@pytest.mark.long
@pytest.mark.parametrize("domains", [(), ("--allowed-domain", "a.example")], ids=["any", "one"])
async def test_a_secret_without_domains(server, domains):
    """A secret for any website is sent with a warning on stderr, without its value."""
    words = ("run", "x", "--secret", "password=MY_PASSWORD", *domains)
    result = await run(*words, env=environment(server, MY_PASSWORD="hunter2-secret"))

    assert result.code == 0
    assert result.stderr.count("warning: this task has secrets but no allowed_domains") == (
        not domains
    )
    assert ".py" not in result.stderr
    assert "hunter2" not in result.stdout + result.stderr


@pytest.mark.long
async def test_an_empty_domain(server):
    """An empty variable does not limit the domains by mistake: the error names both ways out."""
    result = await run("run", "x", "--allowed-domain", "", env=environment(server))

    assert result.code == 2
    assert "leave the option out for no restriction, or name a domain" in result.stderr
    assert server.tasks_created == 0


@pytest.mark.long
async def test_no_key(server):
    """Without a key the exit code is 2, and the message names the ways to give one."""
    env = environment(BROWSER_USE_BASE_URL=server.base_url)
    result = await run("run", "x", env=env)

    assert result.code == 2
    assert "BROWSER_USE_API_KEY" in result.stderr
    assert not server.requests


@pytest.mark.long
async def test_wrong_key(server):
    """A key that the server does not know is exit code 3."""
    env = environment(server, BROWSER_USE_API_KEY="bu_wrong_0815")
    result = await run("run", "x", env=env)

    assert result.code == 3
    assert "key" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.long
@pytest.mark.canaries_by_design("files")  # the key file that the user made
async def test_key_from_a_file(server, tmp_path):
    """The key may be in a file, with a line break at its end."""
    (tmp_path / "key").write_text(f"{server.api_key}\n")
    env = environment(server, BROWSER_USE_API_KEY="bu_wrong_0815")
    result = await run("run", "x", "--api-key", f"file:{tmp_path / 'key'}", env=env)

    assert result.code == 0
    assert server.api_key not in result.stdout + result.stderr


@pytest.mark.torture
async def test_no_server_listens():
    """A server that cannot be reached is exit code 4, after a line about each new attempt."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        env = environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("run", "x", env=env)

    assert result.code == 4
    assert "run_task failed (no connection to " in result.stderr
    assert "attempt 1; again in " in result.stderr
    assert "not sent" in result.stderr.splitlines()[-1]


@pytest.mark.torture
async def test_answer_does_not_come():
    """The timeout ends before it is known whether the task exists: a token is printed."""

    async def stall(connection: Connection) -> None:
        await connection.read_request()
        await connection.stall()

    async with WireServer(stall) as wire:
        env = environment(BROWSER_USE_BASE_URL=wire.url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("run", "x", "--timeout", "10", env=env, seconds=50)

    assert result.code == 124
    assert "may or may not" in result.stderr
    token = result.stderr.split()[-1]
    assert str(SubmissionToken.parse(token)) == token


async def test_verbose(server):
    """`--verbose` shows where an error was raised, without the key."""
    env = environment(server, BROWSER_USE_API_KEY="bu_wrong_0815")
    async with running("run", "x", "--verbose", env=env) as command:
        result = await command.ends()

    assert result.code == 3
    assert "Traceback" in result.stderr
    assert "bu_wrong_0815" not in result.stderr


@pytest.mark.torture
async def test_many_at_once(server):
    """Commands do not disturb each other."""
    results = await asyncio.gather(
        *(run("run", f"Task {number}", env=environment(server)) for number in range(3))
    )

    assert [result.code for result in results] == [0, 0, 0]
    assert len({result.json["id"] for result in results}) == 3


@pytest.mark.long
async def test_pages_of_a_local_run_reach_no_other_service():
    """With --local a page reaches no other service of the machine; a named one is opened."""
    asked: list[str] = []

    async def inner(connection: Connection) -> None:
        asked.append((await connection.read_request()).target)
        connection.send(page(b"secret"))

    async with WireServer(inner) as service:
        inside = f"http://127.0.0.1:{service.port}"
        moved = page(status="302 Found", headers={"Location": f"{inside}/moved"})
        image = f'<title>Named</title><img src="{inside}/image">'.encode()
        async with raw_server({"/": page(image), "/moved": moved}) as site:
            opened = await run("run", "--local", f"Open {site}/. Wait 1 s. Tell me the title")
            refused = await run("run", "--local", f"Open {site}/moved and tell me the title")

    assert opened.json["output"] == "Named"
    assert "is a private address (127.0.0.1)" in refused.stderr
    assert asked == []
