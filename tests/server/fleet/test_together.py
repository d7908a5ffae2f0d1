"""Several servers together: one creates a task, another one runs it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from browser_use_async.server import ChromiumSettings
from browser_use_async.server.app import file_routes
from browser_use_async.server.records import Finished
from browser_use_async.server.storage.postgres.connection import SCHEMA
from tests.server.fleet.conftest import eventually, locked, reached, stored_rows
from tests.server.steering import FromQueue
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import until

pytestmark = pytest.mark.timeout(90)


@pytest.mark.long
async def test_a_task_is_carried_out_by_another_server(start, postgres):
    """It has its steps and its price, and no job is left."""
    caller = await start(role="api")
    await start(role="worker")
    task_id = await caller.create()

    task = await reached(caller, task_id, "finished")

    assert [step["next_goal"] for step in task["steps"]] == ["Open it", "Read it"]
    assert task["output"] == "The answer"
    await eventually(
        lambda: asyncio.to_thread(
            lambda: stored_rows(postgres, "SELECT count(*) FROM procrastinate_jobs") == [(0,)]
        )
    )


async def test_owners_take_turns_at_the_slots_of_workers(start):
    """Of an owner with five waiting tasks one runs before that of another owner, not five."""
    caller, queue = await start(role="api"), FromQueue(*(Finished("Done") for _ in range(7)))
    ann, bob = await caller.with_new_key("ann"), await caller.with_new_key("bob")
    ids = [await ann.create() for _ in range(5)] + [await bob.create() for _ in range(2)]
    await start(role="worker", executor=queue, chromium=ChromiumSettings(max_browsers=1))

    for other, task_id in zip([ann] * 5 + [bob] * 2, ids, strict=True):
        await reached(other, task_id, "finished")

    order = [each.owner for each in queue.assignments]
    assert order == ["ann", "bob", "ann", "bob", "ann", "ann", "ann"]


@pytest.mark.long
async def test_secrets_are_sealed_until_a_server_begins(start, postgres):
    """The worker gets them; before and after they are unreadable in the database."""
    caller = await start(role="api")
    task_id = await caller.create("Log in", secrets={"password": "hush-hush"})
    stored = stored_rows(postgres, "SELECT assignment FROM tasks") + stored_rows(
        postgres, "SELECT body FROM secrets WHERE kind = 'assignment'"
    )
    queue = FromQueue(Finished("Done"))
    await start(role="worker", executor=queue)

    await reached(caller, task_id, "finished")

    assert len(stored) == 2
    assert b"hush-hush" not in repr(stored).encode()
    assert dict(queue.assignments[0].secrets) == {"password": "hush-hush"}
    assert stored_rows(postgres, "SELECT assignment FROM tasks") == [(None,)]
    assert stored_rows(postgres, "SELECT body FROM secrets WHERE kind = 'assignment'") == []


@pytest.mark.long
async def test_uploads_reach_the_other_server(start):
    """A task reads a file that was uploaded to the server that created it."""
    caller, queue = await start(role="api"), FromQueue(Finished("Done"))
    answer = await caller.post(
        "/uploads/presigned-url", json={"file_name": "a.txt", "content_type": "text/plain"}
    )
    url = answer.json["upload_url"]
    await caller.put(url, data=b"content", key=False, headers={"Content-Type": "text/plain"})
    await start(role="worker", executor=queue)

    await reached(caller, await caller.create(included_file_names=["a.txt"]), "finished")

    assert dict(queue.assignments[0].files) == {"a.txt": b"content"}


@pytest.mark.long
async def test_steering_through_another_server(start):
    """A pause delays the next step, a resumption continues, and a stop ends the work."""
    caller, queue = await start(role="api"), FromQueue()
    await start(role="worker", executor=queue)
    task_id = await caller.create()
    await reached(caller, task_id, "running")

    await caller.put("/pause-task", params={"task_id": task_id})
    await asyncio.sleep(1.0)  # for as long as the worker may take without a notification
    queue.step()
    await asyncio.sleep(0.3)
    paused = await caller.task(task_id)
    await caller.put("/resume-task", params={"task_id": task_id})

    async def has_step() -> bool:
        return len((await caller.task(task_id))["steps"]) == 1

    await eventually(has_step)
    stopped = await caller.put("/stop-task", params={"task_id": task_id})
    await until(lambda: queue.ended == 1)

    assert (paused["status"], paused["steps"]) == ("paused", [])
    assert stopped.status == 200
    assert (await caller.task(task_id))["status"] == "stopped"


@pytest.mark.long
async def test_a_pause_at_the_end_loses_no_result(start, postgres):
    """The worker has the result before it learns of the pause, and stores it after it."""
    caller, queue = await start(role="api"), FromQueue()
    await start(role="worker", executor=queue)
    task_id = await caller.create()
    await reached(caller, task_id, "running")

    async with locked(postgres, "SELECT id FROM tasks FOR UPDATE") as queued:
        pausing = asyncio.ensure_future(caller.put("/pause-task", params={"task_id": task_id}))
        await queued(1)
        queue.items.put_nowait(Finished("What was paid for"))
        await queued(2)
    assert (await pausing).status == 200
    paused = await caller.task(task_id)
    await caller.put("/resume-task", params={"task_id": task_id})
    task = await reached(caller, task_id, "finished")

    assert (paused["status"], paused["output"]) == ("paused", None)
    assert task["output"] == "What was paid for"


@pytest.mark.long
async def test_a_stop_at_the_end_is_no_error(start, postgres):
    """The answer is that for the stop of a task that has already ended."""
    caller, queue = await start(role="api"), FromQueue()
    await start(role="worker", executor=queue)
    task_id = await caller.create()
    await reached(caller, task_id, "running")

    async with locked(postgres, "SELECT id FROM tasks FOR UPDATE") as queued:
        queue.items.put_nowait(Finished("Done"))
        await queued(1)
        stopping = asyncio.ensure_future(caller.put("/stop-task", params={"task_id": task_id}))
        await queued(2)
    stopped = await stopping

    assert (stopped.status, stopped.json) == (200, {})
    assert (await caller.task(task_id))["status"] == "finished"


@pytest.mark.long
async def test_a_held_call_is_answered_for_another_server(start):
    """It is answered when the task changes elsewhere, long before its timeout."""
    caller, queue = await start(role="api"), FromQueue()
    await start(role="worker", executor=queue)
    task_id = await caller.create()
    await reached(caller, task_id, "running")

    held = asyncio.ensure_future(
        caller.get(f"/task/{task_id}/status", headers={"Prefer": "wait=30"})
    )
    await asyncio.sleep(0.2)
    queue.items.put_nowait(Finished("Done"))
    async with asyncio.timeout(4):  # less than the time between two reads
        answer = await held

    assert answer.json == "finished"


@pytest.mark.long
async def test_events_come_in_order_from_any_server(start):
    """A webhook of one server gets events of all servers' tasks, also when it refuses at first."""
    one, other = await start(role="api"), await start(role="api")
    await start(role="worker", webhook_retry_pauses=[0.05] * 5)
    async with receiving() as receiver:
        order = {"url": receiver.url, "secret": SECRET}
        assert (await one.post(f"{one.server.url}/admin/webhooks", json=order)).status == 200
        refused: set[str] = set()

        def answer(call: Any) -> int:
            is_first = call.status not in refused
            refused.add(call.status)
            return 500 if is_first and call.status == "initializing" else 200

        receiver.answer = answer
        await other.create()
        await until(lambda: "finished" in receiver.statuses)

    assert receiver.statuses == ["test", "initializing", "initializing", "started", "finished"]


@pytest.mark.long
async def test_a_webhook_that_is_registered_again_gets_what_waits_at_once(start):
    """The jobs of its events do not wait for their next attempt, on any server."""
    caller = await start(role="api")
    await start(role="worker", webhook_retry_pauses=[3600.0])
    async with receiving() as receiver:
        order = {"url": receiver.url, "secret": SECRET}
        place = f"{caller.server.url}/admin/webhooks"
        assert (await caller.post(place, json=order)).status == 200
        receiver.answer = lambda _: 503
        await reached(caller, await caller.create(), "finished")
        await until(lambda: len(receiver.calls) == 2)
        receiver.answer = lambda _: 200
        receiver.calls.clear()
        assert (await caller.post(place, json=order)).status == 200
        await until(lambda: "finished" in receiver.statuses)

    assert receiver.statuses == ["test", "initializing", "started", "finished"]


@pytest.mark.long
async def test_a_webhook_that_is_away_starves_no_other(start):
    """Its events take a few of a worker's places, though each waits for an answer."""
    caller = await start(role="api")
    await start(role="worker", webhook_retry_pauses=[0.2] * 100)
    async with receiving() as away, receiving() as other:
        for receiver, events in ((away, ["initializing"]), (other, ["finished"])):
            order = {"url": receiver.url, "secret": SECRET, "events": events}
            assert (
                await caller.post(f"{caller.server.url}/admin/webhooks", json=order)
            ).status == 200
        away.answer = lambda _: 503
        for _ in range(40):
            await caller.create()
        await away.has(41)
        away.gate.clear()
        before = len(away.calls)
        await caller.create()
        await until(lambda: other.statuses.count("finished") == 41)
        held = len(away.calls) - before
        away.gate.set()

    assert held <= 10


@pytest.mark.long
async def test_a_webhook_is_replaced_while_webhooks_are_read(start, postgres):
    """The former one, with another secret, does not come back."""
    caller = await start(role="api")
    url = f"{caller.server.url}/admin/webhooks"
    async with receiving() as receiver:
        former = {"url": receiver.url, "secret": "the former secret"}
        assert (await caller.post(url, json=former)).status == 200
        receiver.gate.clear()
        order = {"url": receiver.url, "secret": SECRET}
        adding = asyncio.ensure_future(caller.post(url, json=order))
        await receiver.has(2)  # its test event
        async with locked(postgres, "LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE") as queued:
            reading = asyncio.ensure_future(caller.get(url))
            await queued(1)
            receiver.gate.set()
            await queued(2)
        await reading
        webhook_id = (await adding).json["id"]
        before = (await caller.get(url)).json["webhooks"]
        await caller.ask("DELETE", f"{url}/{webhook_id}")
        after = (await caller.get(url)).json["webhooks"]

    assert [each["id"] for each in before] == [webhook_id]
    assert after == []


@pytest.mark.long
async def test_a_webhook_that_another_server_removes_stays_removed(start):
    """This is so while one server changes it, and waits for the answer to its test event."""
    one, other = await start(role="api"), await start(role="api")
    path = "/admin/webhooks"
    async with receiving() as receiver:
        order = {"url": receiver.url, "secret": "the former secret"}
        webhook_id = (await one.post(one.server.url + path, json=order)).json["id"]
        receiver.gate.clear()
        place = f"{path}/{webhook_id}"
        changing = asyncio.ensure_future(
            one.ask("PATCH", one.server.url + place, json={"secret": SECRET})
        )
        await receiver.has(2)  # the test event of the new secret
        removed = await other.ask("DELETE", other.server.url + place)
        receiver.gate.set()
        changed = await changing
        left = (await one.get(one.server.url + path)).json

    assert (removed.status, changed.status) == (200, 404)
    assert left == {"webhooks": []}


async def test_a_schedule_runs_once(start, postgres):
    """Two servers see at once that it is due."""
    one = await start(role="api")
    start_at = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    order = {"schedule_type": "interval", "interval_minutes": 1440, "start_at": start_at}
    answer = await one.post("/scheduled-task", json={"task": "Scheduled", **order})
    assert answer.status == 200, answer.text

    async with locked(postgres, "SELECT id FROM schedules FOR UPDATE") as queued:
        await queued(1)
        await start(role="api")
        both = await queued(2)

    await eventually(lambda: asyncio.to_thread(_are_idle, postgres, both))
    counts = "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM schedule_runs)"
    assert stored_rows(postgres, counts) == [(1, 1)]


def _are_idle(postgres: str, processes: list[int]) -> bool:
    """Whether connections are in no transaction."""
    numbers = ", ".join(map(str, processes))
    idle = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND pid IN ({numbers})"
    return stored_rows(postgres, idle) == [(len(processes),)]


@pytest.mark.long
async def test_tasks_at_work_are_counted_over_all_servers(start):
    """The task that exceeds the limit is refused by whichever server it comes to."""
    one = await start(role="api", max_concurrent_tasks=2)
    other = await start(role="api", max_concurrent_tasks=2)
    await one.create()
    await other.create()

    refused = await one.post("/run-task", json={"task": "One too many"})

    assert refused.status == 429


@pytest.mark.long
async def test_events_of_an_older_server_are_sent_again(start, postgres):
    """While servers are replaced one by one an older one writes events without an owner."""
    caller = await start()
    async with receiving() as receiver:
        webhook = {"url": receiver.url, "secret": SECRET}
        await caller.post(f"{caller.server.url}/admin/webhooks", json=webhook)
        await reached(caller, await caller.create(), "finished")
        await until(lambda: receiver.statuses[1:] == ["initializing", "started", "finished"])
        with psycopg.connect(postgres, options=f"-c search_path={SCHEMA}") as connection:
            connection.execute("UPDATE outbox SET owner = '', place = 0, state = 'delivered'")
        ((delivery_id,),) = stored_rows(postgres, "SELECT id FROM outbox WHERE status = 'finished'")
        path = f"{caller.server.url}/admin/deliveries/{delivery_id}/again"

        assert (await caller.post(path)).status == 200
        await until(lambda: receiver.statuses[4:] == ["finished"])

    newest = "SELECT owner, place FROM outbox ORDER BY number DESC LIMIT 1"
    assert stored_rows(postgres, newest) == [("default", 1)]


@pytest.mark.long
async def test_a_server_that_ends_fails_what_it_cannot_wait_for(start):
    """The reason is the task's last step, and no other server runs it again."""
    caller, queue = await start(role="api"), FromQueue()
    worker = await start(role="worker", executor=queue)
    task_id = await caller.create()
    await reached(caller, task_id, "running")

    await worker.server.aclose()
    task = await caller.task(task_id)

    assert task["status"] == "failed"
    assert "The server was stopped" in task["steps"][-1]["evaluation_previous_goal"]
    assert len(queue.assignments) == 1


@pytest.mark.long
async def test_a_silent_server_loses_its_tasks_once(start, postgres):
    """Another one that gets the job finds the task begun, and fails it."""
    caller, lost = await start(role="api"), FromQueue()
    await start(role="worker", executor=lost)
    task_id = await caller.create()
    await reached(caller, task_id, "running")
    with psycopg.connect(postgres, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute("UPDATE tasks SET worker = 'gone'")
    lost.step("Too late")
    await until(lambda: lost.ended == 1)  # its statements are fenced off, so it ends its work
    # As a rescue does for a silent server.
    with psycopg.connect(postgres, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) "
            "VALUES ('tasks', 'task', jsonb_build_object('task_id', %s::text))",
            [task_id],
        )

    task = await reached(caller, task_id, "failed")

    assert "was lost" in task["steps"][-1]["evaluation_previous_goal"]
    assert len(lost.assignments) == 1
    assert len((await caller.task(task_id))["steps"]) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "deliveries/%00"),
        ("POST", "deliveries/%00/again"),
        ("DELETE", "links/%00"),
        ("DELETE", "keys/%00"),
    ],
)
async def test_an_id_that_no_column_takes_is_not_found(method, path, start):
    """The answer is as with a database of one server, and not as if PostgreSQL were away."""
    caller = await start()
    answer = await caller.ask(method, f"{caller.server.url}/admin/{path}")

    assert answer.status == 404


async def test_uploads_that_come_together_keep_to_their_total(start, monkeypatch):
    """Each sees those before it, as on a server with a database of its own."""
    monkeypatch.setattr(file_routes, "MOST_UPLOADED", 3000)
    caller = await start()

    async def upload(number: int) -> int:
        link = await caller.post(
            "/uploads/presigned-url",
            json={"file_name": f"{number}.txt", "content_type": "text/plain"},
        )
        kind = {"Content-Type": "text/plain"}
        answer = await caller.ask("PUT", link.json["upload_url"], data=bytes(1000), headers=kind)
        return answer.status

    answers = await asyncio.gather(*map(upload, range(12)))

    assert sorted(answers) == [200] * 3 + [507] * 9


@pytest.mark.long
async def test_files_of_one_name_that_come_together_replace_each_other(start, postgres):
    """By two links at once: both are accepted, and one of the files is there in the end."""
    caller = await start()
    wanted = {"file_name": "a.txt", "content_type": "text/plain"}
    links = [
        (await caller.post("/uploads/presigned-url", json=wanted)).json["upload_url"]
        for _ in range(2)
    ]

    async with locked(postgres, "SELECT owner FROM accounts FOR UPDATE") as queued:
        headers = {"Content-Type": "text/plain"}
        uploads = []
        for number, link in enumerate(links, 1):
            upload = caller.put(link, data=b"content %d" % number, key=False, headers=headers)
            uploads.append(asyncio.ensure_future(upload))
            await queued(number)
    answers = await asyncio.gather(*uploads)

    assert [each.status for each in answers] == [200, 200], answers[1].text
    assert stored_rows(postgres, "SELECT body FROM file_parts") == [(b"content 2",)]
