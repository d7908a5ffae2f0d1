"""The type of an answer follows that of its task. Checked by mypy and pyright, never run."""

from dataclasses import dataclass
from typing import Any, Literal, Optional, TypedDict, assert_type

import attrs
from pydantic import BaseModel

from browser_use_async import (
    Batch,
    BrowserUseSession,
    Created,
    ParsedTask,
    Task,
    TaskHandle,
    TaskStatus,
    TaskStep,
    TaskSummary,
)


@dataclass
class Price:
    """An answer."""

    cents: int


@attrs.define
class Page:
    """Another one."""

    title: str


class Answer(BaseModel):
    """One of pydantic's."""

    text: str


class Row(TypedDict):
    """And a dictionary."""

    name: str


async def submitted(session: BrowserUseSession) -> None:
    """A handle has the requested type, and so have its results."""
    priced = await session.submit("Read", output_type=Price)
    assert_type(priced, TaskHandle[Price])
    ended = await priced.wait(timeout=5, check=True)
    assert_type(ended, ParsedTask[Price])
    assert_type(ended.parsed, Price)
    assert_type(ended.parsed.cents, int)

    plain = await session.submit("Read")
    assert_type(plain, TaskHandle[None])
    assert_type(await plain.wait(check=True), Task)
    print((await plain.wait()).parsed)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

    assert_type(await session.submit("Read", output_type=list[Page]), TaskHandle[list[Page]])
    assert_type(await session.submit("Read", output_type=Answer), TaskHandle[Answer])
    assert_type(await session.submit("Read", output_type=Row), TaskHandle[Row])
    assert_type(await session.submit("Read", output_type=None), TaskHandle[None])
    await session.submit("Read", output_typ=Price)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def again(session: BrowserUseSession, token: str) -> None:
    """In another process the type is given again."""
    assert_type(session.handle(token), TaskHandle[None])
    handle = session.handle(token, output_type=Price)
    assert_type(handle, TaskHandle[Price])
    assert_type((await handle.wait()).parsed, Price)
    assert_type(session.handle(handle), TaskHandle[Price])
    assert_type(session.handle(handle, output_type=Page), TaskHandle[Page])
    session.handle(5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def waits(
    session: BrowserUseSession,
    task: Task,
    row: TaskSummary,
    created: Created,
    handle: TaskHandle[Price],
    plain: TaskHandle[None],
) -> None:
    """A wait takes everything that names a task."""
    for each in ("t-1", task, row, created, plain):
        assert_type(await session.wait(each), Task)
        assert_type(await session.wait(each, output_type=Price), ParsedTask[Price])
    assert_type(await session.wait(plain), Task)
    assert_type(await session.wait(handle), ParsedTask[Price])
    assert_type(await session.wait(handle, output_type=Page, check=True), ParsedTask[Page])
    async for ended in session.wait_many([task, row.id, created, handle]):
        assert_type(ended, Task)
    async for status in session.stream_status(task):
        assert_type(status, TaskStatus)
    async for step in session.stream_steps(row):
        assert_type(step, TaskStep)
    await session.wait([task])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await session.wait(task, check="yes")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def ends(session: BrowserUseSession, task: Task) -> None:
    """A task says whether it is a success, and what it answered."""
    assert_type(task.raise_for_status(), Task)
    parsed = task.parse(list[Price])
    assert_type(parsed, ParsedTask[list[Price]])
    assert_type(parsed.raise_for_status(), ParsedTask[list[Price]])
    assert_type(parsed.to_dict(), dict[str, Any])
    assert_type(Task.from_dict({}), Task)


async def unions(session: BrowserUseSession) -> None:
    """Types that are no classes are followed, too."""
    maybe = await session.run_and_wait("Look", output_type=Price | None)
    assert_type(maybe, ParsedTask[Price | None])
    same = await session.run_and_wait("Look", output_type=Optional[Price])  # noqa: UP045
    assert_type(same.parsed, Price | None)
    choice = await session.run_and_wait("Choose", output_type=Literal["a", "b"])
    assert_type(choice.parsed, Literal["a", "b"])
    handle = await session.submit("Look", output_type=Price | Page)
    assert_type((await handle.wait()).parsed, Price | Page)
    assert_type(session.run_many([], concurrency=1, output_type=int | None), Batch[int | None])


def any_handle(handle: TaskHandle) -> str:
    """A handle whose type does not matter needs no type argument."""
    return handle.id


def all_handles(priced: TaskHandle[Price], plain: TaskHandle[None]) -> list[str]:
    """Every handle is one of these."""
    return [any_handle(priced), any_handle(plain)]


async def misspelt(session: BrowserUseSession) -> None:
    """A field that does not exist, or has another type, is found."""
    await session.run_and_wait("Buy", max_steps=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await session.run_and_wait("Buy", output_type=Price, max_agent_steps="5")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
