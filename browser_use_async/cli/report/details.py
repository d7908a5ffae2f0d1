"""Fetches what the ledger does not hold and the service still knows: steps and screenshots."""

import base64
import tempfile
from collections.abc import Sequence

import attrs

from browser_use_async.errors import BrowserUseError
from browser_use_async.session import BrowserUseSession

# By their first bytes: a downloaded file carries no content type.
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
}
# In bytes. Browsers cannot open a page with thousands of larger pictures.
_LARGEST_PICTURE = 5_000_000


@attrs.frozen
class Picture:
    """One screenshot."""

    number: int  # which one of the task, counted from 1
    of: int  # how many the task has
    url: str = attrs.field(repr=False)  # the picture itself, as a data URL


@attrs.frozen
class Details:
    """What a report shows of a task beyond the ledger."""

    goals: Sequence[str] = ()  # what each step set out to do
    pictures: Sequence[Picture] = ()  # the last screenshots
    problem: str | None = None  # why something is missing, or None


# Nothing beyond the ledger.
NO_DETAILS = Details()


async def details_of(session: BrowserUseSession, task_id: str, screenshots: int) -> Details:
    """Ask for what a task did and how it looked. Free."""
    goals: list[str] = []
    try:
        task = await session.tasks.get(task_id)
        goals = [each.next_goal or each.evaluation_previous_goal for each in task.steps]
        return Details(goals, await _pictures(session, task_id, screenshots) if screenshots else ())
    except BrowserUseError as error:
        return Details(goals, problem=str(error))


async def _pictures(session: BrowserUseSession, task_id: str, wanted: int) -> list[Picture]:
    with tempfile.TemporaryDirectory() as folder:
        paths = await session.download_screenshots(task_id, folder, max_bytes=_LARGEST_PICTURE)
        first = max(len(paths) - wanted, 0)
        return [
            Picture(number, len(paths), url)
            for number, path in enumerate(paths[first:], first + 1)
            if (url := _data_url(path.read_bytes())) is not None
        ]


def _data_url(content: bytes) -> str | None:
    """A picture as a data address; None for what is no picture that browsers show."""
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
    if kind is None:
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
