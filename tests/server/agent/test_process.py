from pathlib import Path

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import AgentSettings, LocalServer
from browser_use_async.server.executors.agent.process import (
    AgentEndedError,
    AgentProcess,
    agent_environment,
    usable_python,
)
from tests.support.hygiene import KEY
from tests.support.patience import until


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("/bin/false", r'pip install "browser-use-async\[local-agent\]"'),
        ("/nonexistent/python", "cannot be started"),
    ],
)
def test_a_python_without_browser_use(program, words):
    """Without browser-use the executor is refused, and the error says how to get it."""
    with pytest.raises(ConfigurationError, match=words):
        usable_python(program)


def test_the_server_says_so_too():
    """It is refused when the server is created, not when the first task comes."""
    settings = AgentSettings(llm_base_url="http://127.0.0.1:9/v1", python="/bin/false")

    with pytest.raises(ConfigurationError, match="local-agent"):
        LocalServer(executor="browser_use", agent=settings)


def test_an_agent_inherits_no_key(monkeypatch, tmp_path):
    """Neither keys nor proxies reach the agent's process; all of its homes are its folder."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    environment = agent_environment(tmp_path)

    assert KEY not in environment.values()
    assert "HTTPS_PROXY" not in environment
    assert environment["HOME"] == environment["TMPDIR"] == str(tmp_path)
    assert environment["ANONYMIZED_TELEMETRY"] == "false"


def program(folder: Path, text: str) -> str:
    """A program in place of Python, which runs a shell script."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", r"ended by itself \(exit code 3\)"),
        ("kill -9 $$", r"ended by itself \(SIGKILL\)"),
        ("printf '\\0\\0\\0\\377{'", r"ended by itself \(exit code 0\)"),
    ],
)
async def test_a_process_that_ends(tmp_path, script, words):
    """An end without a last message is reported with its exit code or signal."""
    lines: list[str] = []
    agent = await AgentProcess.start(program(tmp_path, script), tmp_path, lines.append)

    with pytest.raises(AgentEndedError, match=words):
        await agent.receive(20)
    await agent.end()


async def test_a_relative_path(tmp_path, monkeypatch):
    """It counts from the folder of the server, though each agent runs in one of its own."""
    folder, own = tmp_path / "agent", tmp_path / "task"
    folder.mkdir()
    own.mkdir()
    program(folder, "exit 0")
    (folder / "link").symlink_to(folder / "python")
    monkeypatch.chdir(tmp_path)
    python = usable_python("agent/link")
    agent = await AgentProcess.start(python, own, print)

    with pytest.raises(AgentEndedError, match=r"ended by itself \(exit code 0\)"):
        await agent.receive(20)
    await agent.end()
    assert python == str(folder / "link")
    assert usable_python("true") == "true"  # PATH has it


async def test_silence(tmp_path):
    """A process without output for too long is reported; its children end with it."""
    script = "sleep 1000 & echo $! >child; wait"
    agent = await AgentProcess.start(program(tmp_path, script), tmp_path, print)

    await until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    with pytest.raises(AgentEndedError, match=r"silent for 0.5 s"):
        await agent.receive(0.5)
    await agent.send({"far": "too late"})
    await agent.end()

    child = int((tmp_path / "child").read_text())
    await until(lambda: not _is_alive(child))


async def test_its_output_is_logged(tmp_path):
    """Its standard error is logged line by line, without colours and empty lines."""
    lines: list[str] = []
    script = "printf 'one\\n\\n\\033[31mtwo\\033[0m\\n' >&2"
    agent = await AgentProcess.start(program(tmp_path, script), tmp_path, lines.append)

    with pytest.raises(AgentEndedError):
        await agent.receive(20)
    await agent.end()

    assert lines == ["one", "two"]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
