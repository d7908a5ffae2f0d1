"""The items of a batch as rows of a table, with what the service still knows of their tasks."""

import base64
import html
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.cli.console import counted
from browser_use_async.cli.times import time_span
from browser_use_async.errors import BrowserUseError
from browser_use_async.prices import format_cents
from browser_use_async.session import BrowserUseSession

# --- steps and screenshots, which the ledger does not have ----------------------------------

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


async def details_of(session: BrowserUseSession, task_id: str | None, screenshots: int) -> Details:
    """Ask for what a task did and how it looked. Free."""
    if task_id is None:
        return NO_DETAILS
    goals: list[str] = []
    try:
        task = await session.tasks.get(task_id)
        goals = [each.next_goal or each.evaluation_previous_goal for each in task.steps]
        return Details(
            goals, await _screenshots(session, task_id, screenshots) if screenshots else ()
        )
    except BrowserUseError as error:
        return Details(goals, problem=str(error))


async def _screenshots(session: BrowserUseSession, task_id: str, wanted: int) -> list[Picture]:
    with tempfile.TemporaryDirectory() as folder:
        paths = await session.files.download_screenshots(
            task_id, folder, max_bytes=_LARGEST_PICTURE
        )
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


# --- values as HTML --------------------------------------------------------------------------

# What no HTML document may hold: control characters, halves of pairs, and what is no character.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
_MISSING = '<span class="none">none</span>'


def text(value: str) -> str:
    """Text from elsewhere as HTML."""
    return html.escape(_FORBIDDEN.sub("\ufffd", value))


def excerpt(value: str, limit: int) -> str:
    """The beginning of a text as HTML; what is left out is counted."""
    if len(value) <= limit:
        return text(value)
    rest = f"… and {len(value) - limit:,} more characters"
    return f'{text(value[:limit])}<span class="cut"> {rest}</span>'


def cents(value: float) -> str:
    """An amount in US cents as plain text."""
    return format_cents(Decimal(f"{value:.6f}").normalize())


def money(value: Decimal | None) -> str:
    """An amount as HTML that a program can read."""
    if value is None:
        return _MISSING
    return f'<data value="{value.normalize():f}">{format_cents(value)}</data>'


def count(value: int | None) -> str:
    """A number as HTML that a program can read."""
    return _MISSING if value is None else f'<data value="{value}">{value:,}</data>'


def moment(value: datetime | None) -> str:
    """A time in UTC as HTML that a program can read."""
    if value is None:
        return _MISSING
    utc = value.astimezone(UTC)
    return f'<time datetime="{utc.isoformat()}">{utc:%Y-%m-%d %H:%M:%S} UTC</time>'


# --- rows -----------------------------------------------------------------------------------

# States whose usual status need not be repeated beside them
_SAID_BY_STATE = {(ItemState.DONE, "finished"), (ItemState.FAILED, "failed")}
# Characters of one output or error. The ledger has the rest.
_LONGEST_WORDS = 20_000
# From how many characters or lines on an output may not fit into its part of the page.
_SCROLLED, _SCROLLED_LINES = 300, 8
_LONGEST_REASON = 300
LONGEST_KEY = 200

_NUMBER = ' class="number"'
_HEADINGS = (
    *(("#", _NUMBER), ("Item", ""), ("State", ""), ("Took", _NUMBER), ("Steps", _NUMBER)),
    *(("Cost", _NUMBER), ("Output or error", "")),
)


@attrs.frozen
class _Look:
    style: str  # the name of a style
    word: str
    meaning: str


# In the order in which the page lists the states.
STATES = {
    ItemState.DONE: _Look("done", "finished", "the task finished"),
    ItemState.FAILED: _Look(
        "failed", "failed", "the task ended without success, or its output does not fit"
    ),
    ItemState.DEAD: _Look("dead", "refused", "refused, so that no task exists"),
    ItemState.UNKNOWN: _Look("unknown", "unknown", "a task may or may not exist"),
    ItemState.SUBMITTED: _Look("open", "at work", "the task exists and has not ended"),
    ItemState.INTENT: _Look("open", "begun", "about to be sent, or sent and not recorded yet"),
    ItemState.NEW: _Look("open", "not sent", "nothing was sent"),
}


def in_state(state: ItemState, words: str) -> str:
    """Words in the look of a state."""
    return f'<span class="state {STATES[state].style}">{words}</span>'


def header() -> str:
    """What comes before the first item."""
    # The roles: on a phone each row is shown as a card, and some browsers then drop the semantics.
    cells = "".join(
        f'<th scope="col" role="columnheader"{style}>{heading}</th>' for heading, style in _HEADINGS
    )
    return (
        '<section aria-labelledby="results">\n<h2 id="results">Results</h2>\n'
        '<div class="card sheet">\n<table id="items" class="items" role="table">\n'
        "<caption>In the order in which the input first named them</caption>\n"
        f'<thead role="rowgroup"><tr role="row">{cells}</tr></thead>\n<tbody role="rowgroup">'
    )


def row_of(row: LedgerRow, details: Details = NO_DETAILS) -> str:
    """One item."""
    words = _words(row) + _steps(details) + _pictures(details)
    title = excerpt(row.title, LONGEST_KEY)
    is_named = row.task is not None and row.task != row.title
    words_of_task = excerpt(row.task or "", LONGEST_KEY) if is_named else ""
    task = f'<span class="task">{words_of_task}</span>' if words_of_task else ""
    if row.task_id is not None:
        task += f'<span class="task id">{text(row.task_id)}</span>'
    cost = row.total_cents
    took = ""
    if row.seconds is not None:
        took = f'<data value="{row.seconds:.3f}">{time_span(max(row.seconds, 0.0))}</data>'
    return "".join(
        (
            f'<tr id="item-{row.index}" role="row" data-state="{row.state}">',
            _cell("Item", count(row.index + 1), "number"),
            f'<th scope="row" role="rowheader" class="key">{title}{task}</th>',
            _cell("State", _state(row)),
            _cell("Took", took, "number"),
            _cell("Steps", count(row.steps) if row.steps is not None else "", "number"),
            _cell("Cost", money(cost) if cost is not None else "", "number"),
            f'<td role="cell" class="words">{words}</td>',
            "</tr>",
        )
    )


def footer() -> str:
    """What comes after the last item."""
    return "</tbody>\n</table>\n</div>\n</section>"


def _cell(label: str, content: str, style: str = "") -> str:
    if not content:
        return '<td role="cell"></td>'
    kind = f' class="{style}"' if style else ""
    return f'<td role="cell" data-label="{label}"{kind}>{content}</td>'


def _state(row: LedgerRow) -> str:
    words = in_state(row.state, row.state)
    if row.status is not None and (row.state, row.status) not in _SAID_BY_STATE:
        words += f' <span class="soft">({text(row.status)})</span>'
    if row.former_tasks:
        failed = counted(len(row.former_tasks), "task")
        words += f' <span class="soft">after {failed} that failed</span>'
    elif row.attempts > 1:
        words += f' <span class="soft">{row.attempts} attempts</span>'
    if row.joined:
        words += ' <span class="soft">joined a task of an earlier run</span>'
    return words


def _words(row: LedgerRow) -> str:
    parts: list[str] = []
    if row.reason or row.error:
        named = text(row.error or "Error")
        reason = excerpt(row.reason or "", _LONGEST_WORDS)
        parts.append(f'<p class="reason"><strong>{named}</strong> {reason}</p>')
    if row.output is not None:
        # What is scrolled must be reached with the keyboard; what is short is no stop of it.
        is_long = len(row.output) > _SCROLLED or row.output.count("\n") > _SCROLLED_LINES
        stop = ' tabindex="0"' if is_long else ""
        parts.append(f"<pre{stop}>{excerpt(row.output, _LONGEST_WORDS)}</pre>")
    elif row.output_bytes:
        parts.append(
            f'<p class="soft">The output of {row.output_bytes:,} bytes is too large for the '
            "ledger; the service has it.</p>"
        )
    return "".join(parts)


def _steps(details: Details) -> str:
    if not details.goals:
        return ""
    steps = "".join(f"<li>{excerpt(goal, _LONGEST_REASON)}</li>" for goal in details.goals)
    return f"<details><summary>{len(details.goals)} steps</summary><ol>{steps}</ol></details>"


def _pictures(details: Details) -> str:
    problem = ""
    if details.problem is not None:
        problem = f'<p class="soft">Not to be had: {excerpt(details.problem, _LONGEST_REASON)}</p>'
    if not details.pictures:
        return problem
    gallery = f'<div class="pictures">{"".join(map(_screenshot, details.pictures))}</div>'
    return f"<details open><summary>Screenshots</summary>{gallery}</details>{problem}"


def _screenshot(picture: Picture) -> str:
    caption = f"Screenshot {picture.number} of {picture.of}"
    return (
        f'<figure><img src="{text(picture.url)}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
