"""The list of tasks: its pages, newest first."""

import pytest

from browser_use_async.server.records import Finished


async def test_newest_first_with_figures(caller):
    """Every task is on exactly one page."""
    created = [await caller.create(f"Task {number}") for number in range(5)]
    pages = [(await caller.get(f"/tasks?page={page}&limit=2")).json for page in (1, 2, 3)]

    listed = [row["id"] for page in pages for row in page["tasks"]]
    assert listed == created[::-1]
    assert [page["page"] for page in pages] == [1, 2, 3]
    assert {(page["limit"], page["total_pages"], page["total_count"]) for page in pages} == {
        (2, 3, 5)
    }


async def test_a_row_has_the_fields_of_the_documentation(caller):
    """It has no steps: only the single task has them."""
    task_id = await caller.create(metadata={"team": "a"})
    await caller.reached(task_id, "finished")
    (row,) = (await caller.get("/tasks")).json["tasks"]

    assert list(row) == [
        "id", "task", "status", "created_at", "output", "finished_at", "live_url", "metadata",
    ]  # fmt: skip
    assert (row["id"], row["output"], row["metadata"]) == (task_id, "The answer", {"team": "a"})


async def test_defaults(caller):
    """They are page 1 and ten rows."""
    for _ in range(11):
        await caller.create()
    page = (await caller.get("/tasks")).json

    assert (page["page"], page["limit"], len(page["tasks"])) == (1, 10, 10)
    assert page["total_pages"] == 2


@pytest.mark.parametrize("page", [2, 10**6, 10**18])
async def test_past_the_end_there_are_no_rows(page, caller):
    """The status is 200, and the figures are right."""
    await caller.create()
    answer = await caller.get(f"/tasks?page={page}")

    assert answer.status == 200
    assert answer.json["tasks"] == []
    assert (answer.json["total_count"], answer.json["page"]) == (1, page)


async def test_without_tasks_there_is_no_page(caller):
    """The specification leaves it open; this server answers 0."""
    assert (await caller.get("/tasks")).json == {
        "tasks": [],
        "total_pages": 0,
        "page": 1,
        "limit": 10,
        "total_count": 0,
    }


async def test_a_page_has_at_most_a_hundred_rows(caller):
    """A larger limit is reduced, and the answer says so."""
    for _ in range(3):
        await caller.create()
    page = (await caller.get("/tasks?limit=5000")).json

    assert (page["limit"], page["total_pages"], len(page["tasks"])) == (100, 1, 3)


async def test_the_store_has_tasks_in_creation_order(caller):
    """Tests of users read it."""
    created = [await caller.create() for _ in range(3)]

    assert [record.id for record in caller.server.store.tasks] == created


async def test_long_outputs_are_cut_to_their_share_of_the_page(steered, queue):
    """A page has all of its rows and never more than clients accept; the task has the rest."""
    outputs = ["é" * 1_500_000, "short", "x" * 1_500_000]
    for output in outputs:
        queue.items.put_nowait(Finished(output))
        task_id = await steered.create()
        await steered.reached(task_id, "finished")

    page = (await steered.get("/tasks?limit=100")).json
    few = (await steered.get("/tasks?limit=1")).json
    rows = [row["output"] for row in page["tasks"]]
    end = " [the rest of this output is in the task itself]"

    assert page["total_count"] == 3
    assert rows[1] == "short"
    share = 2 * 1024 * 1024 // 100
    assert [rows[0], rows[2]] == ["x" * share + end, "é" * share + end]
    assert few["tasks"][0]["output"] == outputs[2]
    assert (await steered.task(task_id))["output"] == outputs[2]


@pytest.mark.parametrize(("letter", "count"), [("x", 20 * 1024), ("é", 10 * 1024)])
async def test_a_text_may_have_twenty_kilobytes(caller, letter, count):
    """In bytes of UTF-8; a longer one is refused before it is paid for, and not quoted whole."""
    fits = await caller.post("/run-task", json={"task": letter * count})
    refused = await caller.post("/run-task", json={"task": letter * (count + 1)})
    schedule = await caller.post(
        "/scheduled-task",
        json={"task": letter * (count + 1), "schedule_type": "interval", "interval_minutes": 5},
    )

    assert fits.status == 200
    for each in (refused, schedule):
        assert each.problem["loc"] == ["body", "task"]
        assert "20,480 bytes" in each.problem["msg"]
        assert len(each.text) < 1000


@pytest.mark.parametrize(
    ("field", "fitting", "one_more"),
    [
        ("allowed_domains", ["a.example"] * 1000, ["b.example"]),
        ("secrets", {str(number): "x" for number in range(1000)}, {"one": "x"}),
    ],
)
async def test_a_task_has_a_bounded_list_of_each_kind(field, fitting, one_more, caller):
    """Pages are compared with each domain and each secret, so more are refused before the cost."""
    timing = {"schedule_type": "interval", "interval_minutes": 5}
    domains = {"allowed_domains": ["a.example"]}
    fits = await caller.post("/run-task", json={"task": "x", **domains, field: fitting})
    too_many = {**fitting, **one_more} if isinstance(fitting, dict) else fitting + one_more
    settings = {"task": "x", **domains, field: too_many}
    refused = await caller.post("/run-task", json=settings)
    schedule = await caller.post("/scheduled-task", json={**settings, **timing})

    assert fits.status == 200
    for each in (refused, schedule):
        assert each.problem["loc"] == ["body", field]
        assert len(each.text) < 2000


@pytest.mark.parametrize(
    "text",
    ['"quoted" \\ \n\t', "\x00\x01\x7f\u2028", "\x01{}", "grün 😀", "\\u0041"],
)
async def test_a_row_has_the_same_texts_as_its_task(text, caller):
    """For any characters in them."""
    task_id = await caller.create(text, metadata={text: text, "scenario": "quick"})
    task = await caller.reached(task_id, "finished")
    (row,) = (await caller.get("/tasks")).json["tasks"]

    assert row == {name: task[name] for name in row}


async def test_an_output_that_is_stored_in_another_form_is_cut_too(steered, queue):
    """One with characters that a database refuses."""
    queue.items.put_nowait(Finished('"\0' * 200_000))
    await steered.reached(await steered.create(), "finished")
    (row,) = (await steered.get("/tasks?limit=100")).json["tasks"]
    start, end = row["output"].split(" [")

    assert 2_000 < len(start) <= 2 * 1024 * 1024 // 100
    assert start == ('"\0' * 200_000)[: len(start)]
    assert end == "the rest of this output is in the task itself]"
