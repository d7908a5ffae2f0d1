"""The items of a report, one row of a table each. Pure."""

from browser_use_async.batch.ledger.reading import LedgerRow
from browser_use_async.batch.report.details import NOTHING, Details, Picture
from browser_use_async.batch.report.page import STATE_CLASSES
from browser_use_async.batch.report.words import count, duration, excerpt, money, text
from browser_use_async.batch.states import ItemState

__all__ = ["attention", "item_row", "items_begin", "items_end"]

_SAID_BY_STATE = {(ItemState.DONE, "finished"), (ItemState.FAILED, "failed")}
_LONGEST_WORDS = 20_000
"""Characters of one output or error. The ledger has the rest."""
_LONGEST_REASON = 300
_LONGEST_KEY = 200

_HEADINGS = ("#", "Key and task", "State", "Took", "Steps", "Cost", "Output or error")
_NEEDS_ATTENTION = frozenset({ItemState.FAILED, ItemState.DEAD, ItemState.UNKNOWN})


def attention(row: LedgerRow) -> str | None:
    """A line about an item that somebody should look at; None for all others."""
    if row.state not in _NEEDS_ATTENTION:
        return None
    return (
        f'<li><a href="#item-{row.index}">{_key(row)}</a> '
        f'<span class="state {STATE_CLASSES[row.state]}">{row.state}</span>: '
        f"{excerpt(row.reason or row.error or 'no reason is known', _LONGEST_REASON)}</li>"
    )


def items_begin() -> str:
    """What comes before the first item."""
    # The roles: on a phone each row is shown as a card, and some browsers then forget the table.
    cells = "".join(
        f'<th scope="col" role="columnheader"{_number(each)}>{each}</th>' for each in _HEADINGS
    )
    return (
        '<h2>All items</h2>\n<table id="items" class="items" role="table">\n'
        "<caption>In the order in which the input first named them</caption>\n"
        f'<thead role="rowgroup"><tr role="row">{cells}</tr></thead>\n<tbody role="rowgroup">'
    )


def _number(heading: str) -> str:
    return ' class="number"' if heading in {"#", "Took", "Steps", "Cost"} else ""


def item_row(row: LedgerRow, details: Details = NOTHING) -> str:
    """One item."""
    words = _words(row) + _steps(details) + _pictures(details)
    task = "" if row.task_id is None else f'<span class="task">{text(row.task_id)}</span>'
    took = "" if row.seconds is None else f'<data value="{row.seconds:.3f}">{_took(row)}</data>'
    return "".join(
        (
            f'<tr id="item-{row.index}" role="row">',
            _cell("Item", count(row.index + 1), "number"),
            f'<th scope="row" role="rowheader" class="key">{_key(row)}{task}</th>',
            _cell("State", _state(row)),
            _cell("Took", took, "number"),
            _cell("Steps", count(row.steps) if row.steps is not None else "", "number"),
            _cell("Cost", money(row.cost_cents) if row.cost_cents is not None else "", "number"),
            f'<td role="cell" class="words">{words}</td>',
            "</tr>",
        )
    )


def items_end() -> str:
    """What comes after the last item."""
    return "</tbody>\n</table>"


def _took(row: LedgerRow) -> str:
    return duration(None if row.seconds is None else max(row.seconds, 0.0))


def _cell(label: str, content: str, style: str = "") -> str:
    if not content:
        return '<td role="cell"></td>'
    kind = f' class="{style}"' if style else ""
    return f'<td role="cell" data-label="{label}"{kind}>{content}</td>'


def _key(row: LedgerRow) -> str:
    return excerpt(row.key, _LONGEST_KEY)


def _state(row: LedgerRow) -> str:
    words = f'<span class="state {STATE_CLASSES[row.state]}">{row.state}</span>'
    if row.status is not None and (row.state, row.status) not in _SAID_BY_STATE:
        words += f' <span class="soft">({text(row.status)})</span>'
    if row.attempts > 1:
        words += f' <span class="soft">{row.attempts} attempts</span>'
    return words


def _words(row: LedgerRow) -> str:
    parts: list[str] = []
    if row.reason or row.error:
        named = text(row.error or "Error")
        reason = excerpt(row.reason or "", _LONGEST_WORDS)
        parts.append(f'<p class="reason"><strong>{named}</strong> {reason}</p>')
    if row.output is not None:
        parts.append(f"<pre>{excerpt(row.output, _LONGEST_WORDS)}</pre>")
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
    gallery = f'<div class="pictures">{"".join(map(_figure, details.pictures))}</div>'
    return f"<details open><summary>Screenshots</summary>{gallery}</details>{problem}"


def _figure(picture: Picture) -> str:
    caption = f"Screenshot {picture.number} of {picture.of}"
    return (
        f'<figure><img src="{text(picture.url)}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
