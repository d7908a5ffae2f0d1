"""The command with an agent: its needs, its secrets, and its remains."""

import asyncio
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from browser_use_async.server.executors.browser.browser_folder import clean_up_after_the_dead
from tests.agent.processes import processes_of, temporary_folders
from tests.agent.scripted_model import KEY, ScriptedModel, Silence
from tests.agent.serving import Command, serving
from tests.agent.stage import done
from tests.support.patience import PATIENCE


def remove_folders_of_drivers():
    """A driver that was killed with its browser had no time to remove its own folder."""
    for folder in Path(tempfile.gettempdir()).glob("playwright-artifacts-*"):
        shutil.rmtree(folder, ignore_errors=True)


def known_to(process: int) -> bytes:
    """The environment and the command line of a process."""
    return b"".join(
        Path("/proc", str(process), name).read_bytes() for name in ("environ", "cmdline")
    )


async def at_work(model: ScriptedModel, command: Command) -> list[int]:
    """Begin a task that waits for its model; all its processes."""
    await command.create("Wait")
    async with asyncio.timeout(60):
        while not model.asked:  # noqa: ASYNC110 - the model has nothing to wait on
            await asyncio.sleep(0.05)
    return processes_of(temporary_folders())


async def test_the_key_is_in_no_other_process():
    """The model's key comes from the environment, and neither agent nor browser inherits it."""
    async with ScriptedModel([Silence()]) as model, serving(model) as command:
        at_hand = [known_to(process) for process in await at_work(model, command)]

    assert at_hand
    assert not [text for text in at_hand if KEY.encode() in text]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all(number):
    """A server that is asked to end also ends its agents and browsers, and their folders."""
    async with ScriptedModel([Silence()]) as model, serving(model) as command:
        assert await at_work(model, command)
        command.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            assert await command.process.wait() == 0

    assert not processes_of([Path(tempfile.gettempdir())])
    assert not temporary_folders()


async def test_nothing_outlives_a_server_that_is_killed():
    """After kill -9 agents and browsers end by themselves; the next start removes the folders."""
    async with ScriptedModel([Silence()]) as model, serving(model) as command:
        assert await at_work(model, command)
        command.process.kill()
        async with asyncio.timeout(PATIENCE):
            while processes_of(temporary_folders()):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.05)
        left = len(temporary_folders())
        remove_folders_of_drivers()

        assert clean_up_after_the_dead() == left == 1


async def test_the_command_runs_tasks():
    """With only an address and a key, `serve` finishes tasks."""
    async with ScriptedModel([done("Done")]) as model, serving(model) as command:
        task = await command.ended(await command.create("Do it"))

    assert task["status"] == "finished"
    assert task["output"] == "Done"
