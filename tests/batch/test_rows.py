"""The rows of a batch for a data frame, and its representations."""

import asyncio
import json
from typing import TypedDict

import pytest

from browser_use_async import errors
from browser_use_async.batch import read_ledger
from browser_use_async.server.executors.scripted import Scenario
from tests.batch.conftest import Held, hanging


class Place(TypedDict):
    """A place with a record in it."""

    lat: float


class Office(TypedDict):
    """A record within a record."""

    city: str
    place: Place
    floors: list[int]


OSLO = {"city": "Oslo", "place": {"lat": 59.9}, "floors": [1, 2]}
SCENARIOS = {
    "good": Scenario(step_seconds=0, output=OSLO),
    "bad": Scenario(step_seconds=0, outcome="failed", reason="No such page"),
}


async def test_rows_have_the_same_plain_columns(launch, session_with):
    """Records are spread over columns, lists are whole, and a missing value is None."""
    session = await session_with(await launch(scenarios=SCENARIOS))
    batch = session.run_many([("a", "good"), ("b", "bad")], concurrency=1, output_type=Office)
    assert batch.to_rows() == []

    await batch.collect()

    good, bad = batch.to_rows()
    assert good.keys() == bad.keys()
    assert good["parsed.city"] == "Oslo"
    assert good["parsed.place.lat"] == 59.9
    assert good["parsed.floors"] == [1, 2]
    assert (good["key"], good["state"], good["status"], good["error"]) == (
        "a",
        "done",
        "finished",
        None,
    )
    assert (bad["error"], bad["status"], bad["parsed.city"]) == ("TaskFailedError", "failed", None)
    assert "No such page" in bad["reason"]
    assert json.loads(json.dumps(batch.to_rows())) == batch.to_rows()


class Folder(TypedDict):
    """A record that contains itself."""

    name: str
    parent: "Folder | None"


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (Office, {"parsed.city", "parsed.place.lat", "parsed.floors"}),
        (Folder, {"parsed.name", "parsed.parent"}),
        (list[Office], {"parsed"}),
        (dict[str, str], {"parsed"}),
        (None, set()),
    ],
)
async def test_rows_have_the_columns_of_the_type_if_all_items_fail(
    kind, columns, launch, session_with
):
    """The columns are None, and reading one raises no KeyError."""
    session = await session_with(await launch(scenarios=SCENARIOS))
    batch = session.run_many([("b", "bad")], concurrency=1, output_type=kind)
    await batch.collect()

    (row,) = batch.to_rows()

    assert {name for name in row if name.startswith("parsed")} == columns
    assert {row[name] for name in columns} <= {None}


async def test_rows_of_a_running_batch(launch, session_with):
    """While `collect()` runs they are the results so far."""
    executor = Held("slow")
    session = await session_with(await launch(executor=executor))
    batch = session.run_many(["slow", "quick"], concurrency=2)

    collecting = asyncio.create_task(batch.collect())
    while not batch.to_rows():
        await asyncio.wait([collecting], timeout=0.01)

    assert [row["index"] for row in batch.to_rows()] == [1]
    executor.released.set()
    results = await collecting
    assert batch.to_rows() == [each.to_row() for each in results]


async def test_a_loop_over_a_batch_keeps_no_rows(launch, session_with):
    """A loop keeps no results: it makes the rows itself; the error says so."""
    session = await session_with(await launch(scenarios=SCENARIOS))
    batch = session.run_many(["good"], concurrency=1)

    rows = [result.to_row() async for result in batch]

    assert [row["status"] for row in rows] == ["finished"]
    with pytest.raises(errors.InvalidRequestError, match=r"result\.to_row\(\) in the loop"):
        batch.to_rows()


async def test_a_ledger_has_the_same_rows(launch, session_with, ledger):
    """In another process, and also for items that have not ended."""
    session = await session_with(await launch(scenarios=SCENARIOS))
    batch = session.run_many([("a", "good"), ("b", "bad")], concurrency=2, ledger=ledger)
    await batch.collect()

    rows = read_ledger(ledger).to_rows()

    common = batch.to_rows()[0].keys() & rows[0].keys()
    assert {"index", "key", "state", "task_id", "output", "error", "cost_cents"} <= common
    for mine in batch.to_rows():
        (theirs,) = [row for row in rows if row["key"] == mine["key"]]
        assert {name: theirs[name] for name in common} == {name: mine[name] for name in common}
        assert theirs["seconds"] >= 0


async def test_a_batch_shows_how_far_it_is(launch, session_with):
    """In one line, for rich and for a notebook, without any content of its tasks."""
    session = await session_with(await launch(executor=hanging(SCENARIOS)))
    batch = session.run_many(["good", "another"], concurrency=2)
    assert repr(batch) == "<Batch: ended 0 of 2, cost $0.00>"

    async with batch:
        await anext(aiter(batch))

        assert repr(batch).startswith("<Batch: ended 1 of 2, running 1, done 1, cost ")
        assert ("done", 1) in list(batch.__rich_repr__())
        assert "1 of 2" in batch._repr_html_()
        assert "another" not in repr(batch) + batch._repr_html_()
