"""HTML for notebooks, which call `_repr_html_` of an object."""

# Every external text is escaped. A live link is shown only until its task has ended: it lets a
# reader of the notebook steer the task.

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakSet

import attrs

from browser_use_async.errors import InvalidRequestError
from browser_use_async.types.secrets import hidden_url

_MOST_CHARACTERS = 2000  # of one cell
_MOST_IN_GRID = 200  # characters of a cell that stands beside others
MOST_ROWS = 200
_SHORT = 40  # characters, up to which a text beside others is not broken
_LEFT = 'style="text-align: left; vertical-align: top; white-space: pre-wrap"'
_UNBROKEN = 'style="text-align: left; vertical-align: top; white-space: nowrap"'
_CAPTION = 'style="text-align: left; white-space: nowrap"'
_BAR = 12  # em
_DONE, _FAILED = "#2563eb", "#dc2626"  # seen on a light and on a dark page
_PART = "display: inline-block; height: 100%; vertical-align: top"
_TRACK = (
    f"display: inline-block; width: {_BAR}em; height: 0.7em; overflow: hidden; "
    "border-radius: 0.35em; background: #9993; white-space: nowrap; line-height: 0"
)
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


Row = tuple[str, object]  # the name and the value in one line of a table


class _Html(str):
    """A text that is already HTML."""

    __slots__ = ()


class Prices(Protocol):
    """What knows the cost of tasks: a session knows that of its own."""

    def cost(self, task: Any) -> Decimal:
        """The cost of a task in US cents; an `InvalidRequestError` if it is not known."""
        ...


# The sessions of this notebook
PRICES = WeakSet[Prices]()


def cost_of(task: object) -> str | None:
    """What a task has cost so far, if a session of this notebook has submitted it."""
    for each in tuple(PRICES):
        with suppress(InvalidRequestError):
            return _money(each.cost(task))
    return None


def live_link(url: str) -> str:
    """The link of a live page."""
    return _link(url, "watch it")


def page_link(url: str) -> str:
    """The link of a page about a batch, for those who may sign in."""
    return _link(url, "open its page")


def response_html(response: attrs.AttrsInstance) -> str:
    """A table of the fields of a response; of a page, its rows."""
    name, fields = type(response).__name__, shown_fields(response)
    inner = [each for each, value in fields.items() if _is_rows(value)]
    if len(inner) != 1:
        return table(name, [(each, _text(value)) for each, value in fields.items()])
    rows = fields.pop(inner[0])
    others = [f"{each} {_text(value)}" for each, value in fields.items()]
    title = ", ".join([f"{name}: {len(rows)} {inner[0]}", *others])
    return grid(title, [grid_row(each) for each in rows])


def shown_fields(response: attrs.AttrsInstance) -> dict[str, Any]:
    """The fields of a response by name; values that the repr hides are hidden here, too."""
    fields = dict[str, Any]()
    for field in attrs.fields(type(response)):
        value = getattr(response, field.name)
        if isinstance(value, Decimal):
            fields[field.name] = f"{value} ({_money(value)})"
        elif callable(field.repr):
            fields[field.name] = str(field.repr(value)).strip("'") if value else None
        elif field.repr:
            fields[field.name] = value
    return fields


def grid_row(response: attrs.AttrsInstance) -> dict[str, Any]:
    """The fields with a column: no hidden ones, and no ids of rows with numbers."""
    hidden = {field.name for field in attrs.fields(type(response)) if callable(field.repr)}
    fields = {name: each for name, each in shown_fields(response).items() if name not in hidden}
    if "step" in fields:
        del fields["id"]
    return fields


def grid(title: str, rows: Sequence[Mapping[str, object]]) -> str:
    """A table with a row for each mapping; empty columns are left out."""
    texts = [{name: _text(value) for name, value in row.items()} for row in rows[:MOST_ROWS]]
    names = dict.fromkeys(name for row in texts for name in row)
    names = {name: None for name in names if any(row.get(name) for row in texts)}
    head = "".join(f"<th {_LEFT}>{_shown(name)}</th>" for name in names)
    lines = [[_column(row.get(name, "")) for name in names] for row in texts]
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    left = f", of which the first {MOST_ROWS} are shown" if len(rows) > MOST_ROWS else ""
    caption = f"<caption {_CAPTION}><strong>{_shown(title + left)}</strong></caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def progress_html(
    done: int, failed: int, most: int | None, text: str, page_url: str | None = None
) -> str:
    """A bar of what is done and, in red, of what failed, with a text; empty without a total."""
    page = "" if page_url is None else f" · {page_link(page_url)}"
    widths = [0.0 if most is None else _BAR * each / max(most, 1) for each in (done, failed)]
    parts = "".join(
        f'<span style="{_PART}; width: {width:.2f}em; background: {colour}"></span>'
        for width, colour in zip(widths, (_DONE, _FAILED), strict=True)
        if width
    )
    return f'<div><span style="{_TRACK}">{parts}</span> {_shown(text)}{page}</div>'


def links_html(title: str, urls: Sequence[str], text: str) -> str:
    """Links that a program has requested, by number."""
    rows = [(str(number), _link(url, text)) for number, url in enumerate(urls, 1)]
    return table(f"{title}: {len(urls)}", rows)


def table(title: str, rows: Iterable[Row]) -> str:
    """A table of two columns."""
    lines = "".join(
        f"<tr><th {_LEFT}>{_cell(name)}</th><td {_LEFT}>{_cell(value)}</td></tr>"
        for name, value in rows
    )
    caption = f"<caption {_CAPTION}><strong>{_shown(title)}</strong></caption>"
    return f"<table>{caption}<tbody>{lines}</tbody></table>"


def _money(cents: Decimal) -> str:
    from browser_use_async.prices import format_cents  # noqa: PLC0415 - needs the types

    return format_cents(cents)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and any(attrs.has(type(each)) for each in value)


def _text(value: object) -> str:
    if value is None or (isinstance(value, Sequence | Mapping) and not value):
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S %Z}".strip()
    if isinstance(value, list):
        return str(len(value)) if _is_rows(value) else ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return str(value)


def _column(text: str) -> str:
    is_short = len(text) <= _SHORT
    return f"<td {_UNBROKEN if is_short else _LEFT}>{_cell(text, _MOST_IN_GRID)}</td>"


def _cell(value: object, most: int = _MOST_CHARACTERS) -> str:
    if isinstance(value, _Html):
        return value
    text = str(value)
    return _shown(text if len(text) <= most else text[:most] + " …")


def _shown(text: str) -> str:
    """A text as HTML; characters that would turn the direction of the rest show their codes."""
    return escape(_TURNING.sub(lambda found: f"\\u{ord(found[0]):x}", text))


def _hidden(url: str) -> str:
    return hidden_url(url).strip("'")


def _link(url: str, text: str) -> str:
    # A click would run a scheme such as `javascript:`.
    try:
        is_web = urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        is_web = False
    if not is_web:
        return _hidden(url)
    address = escape(url, quote=True)
    return _Html(f'<a href="{address}" target="_blank" rel="noopener noreferrer">{text}</a>')
