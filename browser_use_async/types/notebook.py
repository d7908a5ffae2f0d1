"""HTML of tasks, handles and batches for notebooks, which call `_repr_html_` to show an object."""

# Every text that comes from elsewhere is escaped. A live link is shown until its task has ended,
# since it lets a reader of the notebook steer the task; afterwards the text says only the host.

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from browser_use_async.types.secrets import hidden_url

if TYPE_CHECKING:
    from browser_use_async.types.tasks import Task

_MOST_CHARACTERS = 2000  # of one cell
_MOST_STEPS = 200
_LEFT = 'style="text-align: left; vertical-align: top; white-space: pre-wrap"'


class _Html(str):
    """A text that is HTML already."""

    __slots__ = ()


class Row(NamedTuple):
    """One line of a table."""

    name: str
    value: object


def task_html(task: "Task") -> str:
    """A table of what a task is and did, with its steps below."""
    rows = [Row("id", task.id), Row("status", str(task.status)), Row("task", task.task)]
    if task.live_url is not None:
        rows.append(Row("live", _link(task.live_url, is_shown=not task.has_ended)))
    if task.output is not None:
        rows.append(Row("output", task.output))
    if task.failure is not None:
        rows.append(Row("failure", task.failure))
    if task.duration is not None:
        rows.append(Row("seconds", f"{task.duration:.1f}"))
    if task.output_files:
        rows.append(Row("files", ", ".join(task.output_files)))
    # The latest ones, which say where the task is; a notebook is no place for two hundred.
    steps = task.steps[-_MOST_STEPS:]
    if not steps:
        return table("Task", rows)
    listed = [Row(str(step.step), step.next_goal or step.url) for step in steps]
    return table("Task", rows) + table(f"Steps: {len(task.steps)}", listed)


def table(title: str, rows: Iterable[Row]) -> str:
    """A table of two columns."""
    lines = "".join(
        f"<tr><th {_LEFT}>{_cell(name)}</th><td {_LEFT}>{_cell(value)}</td></tr>"
        for name, value in rows
    )
    caption = f"<caption {_LEFT}><strong>{escape(title)}</strong></caption>"
    return f"<table>{caption}<tbody>{lines}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, _Html):
        return value
    text = str(value)
    shown = text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " …"
    return escape(shown)


def _link(url: str, *, is_shown: bool) -> str:
    # A scheme such as `javascript:` would be run by a click.
    try:
        is_web = urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        is_web = False
    if not (is_shown and is_web):
        return hidden_url(url).strip("'")
    address = escape(url, quote=True)
    return _Html(f'<a href="{address}" target="_blank" rel="noopener noreferrer">watch it</a>')
