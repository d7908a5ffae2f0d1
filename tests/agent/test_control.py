"""Pause, resume and stop."""

import asyncio

from tests.agent.processes import processes_of, temporary_folders
from tests.agent.scripted_model import Silence, act
from tests.agent.stage import done, ended
from tests.support.patience import until


async def test_stop_ends_all_that_belongs_to_the_task(stage):
    """A task is stopped while it waits for the model; nothing of it is left."""
    model = await stage.model([act("Look", {"wait": {"seconds": 1}}), Silence()])
    caller = await stage.server(model)
    task_id = await caller.create("Look")
    async with asyncio.timeout(60):
        while len(model.asked) < 2:  # noqa: ASYNC110 - the model has nothing to wait on
            await asyncio.sleep(0.05)
    assert processes_of(temporary_folders())

    answer = await caller.put(f"/stop-task?task_id={task_id}")
    await until(lambda: not temporary_folders())

    assert answer.status == 200
    assert (await caller.task(task_id))["status"] == "stopped"
    assert not processes_of(temporary_folders())


async def test_pause_and_resume(stage):
    """A paused task sends no question to its model until it is resumed."""
    look = act("Look", {"wait": {"seconds": 1}})
    model = await stage.model([look, look, look, done("Done")])
    caller = await stage.server(model)
    task_id = await caller.create("Look")
    async with asyncio.timeout(60):
        while not model.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    await caller.put(f"/pause-task?task_id={task_id}")
    counts = []
    for _ in range(5):  # seconds for the question of a step that began before
        await asyncio.sleep(1)
        counts.append(len(model.asked))
    asked = counts[1]
    assert counts[1:] == [asked] * 4
    status = (await caller.task(task_id))["status"]
    await caller.put(f"/resume-task?task_id={task_id}")
    task = await ended(caller, task_id)

    assert (asked <= 2, status) == (True, "paused")
    assert task["status"] == "finished"
    assert len(model.asked) == 4
