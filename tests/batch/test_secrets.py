"""What a ledger must not contain, and what a caller stores in it."""

import json
from collections.abc import Callable

from browser_use_async import (
    RunTaskRequest,
)
from browser_use_async.batch import read_ledger
from tests.support.hygiene import SECRET

Texts = Callable[[int], list[str]]


async def test_secrets_are_not_in_the_ledger(launch, session_with, ledger):
    """The ledger has neither a value nor a digest of secrets: renewed ones are the same item."""
    server = await launch()
    session = await session_with(server)

    def request(value: str) -> RunTaskRequest:
        return RunTaskRequest("Log in", secrets={"pw": value}, allowed_domains=["example.com"])

    await session.run_many([request(SECRET)], concurrency=1, ledger=ledger).collect()
    again = await session.run_many([request("renewed")], concurrency=1, ledger=ledger).collect()

    assert again[0].restored
    for file in ledger.parent.glob("run.db*"):
        assert SECRET.encode() not in file.read_bytes()


async def test_labels_stay_with_the_ledger(launch, session_with, ledger):
    """A caller's labels are read again, and a later run adds to them."""
    session = await session_with(await launch())
    for labels in ({"template": "Find {x}", "by": "me"}, {"by": "you"}):
        await session.run_many(["a"], concurrency=1, ledger=ledger, labels=labels).collect()

    assert read_ledger(ledger).labels == {"template": "Find {x}", "by": "you"}
    assert json.dumps(dict(read_ledger(ledger).labels))
