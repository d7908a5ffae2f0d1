"""The report in pieces of HTML, written one by one so that memory stays bounded. Pure.

What comes from elsewhere is escaped, and should a piece ever not be: the page allows no script, no
link to another host and only its own style.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from string import Template

from browser_use_async.batch.ledger.reader import LedgerRow, LedgerView
from browser_use_async.batch.ledger.records import ItemState, Orphan
from browser_use_async.cli.report.details import NO_DETAILS, Details, Picture
from browser_use_async.cli.report.format import count, duration, excerpt, moment, money, text
from browser_use_async.cli.report.histogram import bins, plot
from browser_use_async.cli.report.summary import Figures

_LONGEST_LABEL = 500
# States whose usual status need not be repeated beside them
_SAID_BY_STATE = {(ItemState.DONE, "finished"), (ItemState.FAILED, "failed")}
_LONGEST_WORDS = 20_000
"""Characters of one output or error. The ledger has the rest."""
_LONGEST_REASON = 300
_LONGEST_KEY = 200

_HEADINGS = ("#", "Key and task", "State", "Took", "Steps", "Cost", "Output or error")
_NEEDS_ATTENTION = frozenset({ItemState.FAILED, ItemState.DEAD, ItemState.UNKNOWN})

STATE_CLASSES = {
    ItemState.DONE: "done",
    ItemState.FAILED: "failed",
    ItemState.DEAD: "dead",
    ItemState.UNKNOWN: "unknown",
    ItemState.NEW: "open",
    ItemState.INTENT: "open",
    ItemState.SUBMITTED: "open",
}
"""How the states look, by the name of a style."""

# In the order in which the page lists them
_MEANINGS = {
    ItemState.DONE: "the task finished",
    ItemState.FAILED: "the task ended without success, or its output does not fit",
    ItemState.DEAD: "refused, so that no task exists",
    ItemState.UNKNOWN: "a task may or may not exist",
    ItemState.SUBMITTED: "the task exists and has not ended",
    ItemState.INTENT: "about to be sent, or sent and not answered",
    ItemState.NEW: "nothing was sent",
}


def head(view: LedgerView, figures: Figures) -> str:
    """Everything down to the most important figures."""
    style = _asset("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    return Template(_asset("head.html")).substitute(
        policy=policy,
        name=text(view.path.name),
        style=style,
        labels="\n".join(
            f"<p><span class='soft'>{text(name)}:</span> {excerpt(value, _LONGEST_LABEL)}</p>"
            for name, value in sorted(view.labels.items())
        ),
        figures="\n".join(_figures(view, figures)),
    )


def _figures(view: LedgerView, figures: Figures) -> Iterator[str]:
    yield _figure("total", "Items", count(figures.total))
    yield _figure("finished", "Finished", count(figures.counts[ItemState.DONE]))
    yield _figure("cost", "Cost", money(figures.cost_cents))
    if view.budget_cents is not None:
        yield _figure("budget", "Budget", money(view.budget_cents))
    yield _figure("steps", "Steps", count(figures.steps))
    yield _figure("runs", "Runs", count(view.runs))
    if figures.elapsed is not None:
        yield _figure("elapsed", "Altogether", duration(figures.elapsed.total_seconds()))


def _figure(name: str, label: str, value: str) -> str:
    return f'<div><dt>{label}</dt><dd id="{name}">{value}</dd></div>'


def totals(figures: Figures) -> str:
    """How many items are in which state."""
    rows = (
        f'<tr><th scope="row" class="state {STATE_CLASSES[state]}">{state}</th>'
        f'<td class="number" id="state-{_name(state)}">{count(figures.counts[state])}</td>'
        f"<td>{meaning}</td></tr>"
        for state, meaning in _MEANINGS.items()
    )
    return _table("states", "States", ("State", "#Items", "What it means"), rows)


def _name(state: ItemState) -> str:
    return state.replace(" ", "-")


def durations(figures: Figures) -> str:
    """How long the tasks took, as a plot and as a table."""
    if not figures.durations:
        return "<h2>Durations</h2>\n<p>No task has ended yet.</p>"
    span = f"From {moment(figures.began_at)} to {moment(figures.ended_at)}."
    marks = ", ".join(
        f"{label} {duration(figures.quantile(share))}"
        for label, share in (("median", 0.5), ("nine in ten within", 0.9), ("longest", 1))
    )
    rows = (
        f'<tr><th scope="row">{duration(each.start)} to {duration(each.end)}</th>'
        f'<td class="number">{count(each.count)}</td></tr>'
        for each in bins(figures.durations)
    )
    table = _table("durations", None, ("Time", "#Tasks"), rows)
    return (
        f"<h2>Durations</h2>\n<p>{marks[0].upper()}{marks[1:]}. {span}</p>\n"
        f"{plot(figures.durations)}\n"
        f"<details><summary>The same as a table</summary>\n{table}\n</details>"
    )


def orphans(found: Iterable[Orphan]) -> str:
    """The table of duplicate tasks, or nothing if there are none."""
    rows = [
        f'<tr><th scope="row">{text(each.task_id)}</th><td>{text(each.title)}</td>'
        f"<td>{moment(each.found_at)}</td><td>{'yes' if each.stopped else 'no'}</td>"
        f'<td class="number">{money(each.cost_cents)}</td></tr>'
        for each in found
    ]
    if not rows:
        return ""
    return _table("orphans", "Tasks too many", ("Task", "Key", "Found", "Stopped", "#Cost"), rows)


def end() -> str:
    """What closes the page."""
    return (
        '<p class="soft">Costs are computed from the steps of each task and the published prices. '
        "Times are those of the service.</p>\n</main>\n</body>\n</html>\n"
    )


# --- the items ------------------------------------------------------------------------------


def attention_line(row: LedgerRow) -> str | None:
    """A list entry for an item that needs attention, or None."""
    if row.state not in _NEEDS_ATTENTION:
        return None
    return (
        f'<li><a href="#item-{row.index}">{_key(row)}</a> '
        f'<span class="state {STATE_CLASSES[row.state]}">{row.state}</span>: '
        f"{excerpt(row.reason or row.error or 'no reason is known', _LONGEST_REASON)}</li>"
    )


def items_header() -> str:
    """What comes before the first item."""
    # The roles: on a phone each row is shown as a card, and some browsers then drop the semantics.
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


def item_row(row: LedgerRow, details: Details = NO_DETAILS) -> str:
    """One item."""
    words = _words(row) + _steps(details) + _pictures(details)
    title = _key(row)
    is_named = row.task is not None and row.task != row.title
    words_of_task = excerpt(row.task or "", _LONGEST_KEY) if is_named else ""
    below = (words_of_task, "" if row.task_id is None else text(row.task_id))
    task = "".join(f'<span class="task">{each}</span>' for each in below if each)
    cost = row.total_cents
    took = "" if row.seconds is None else f'<data value="{row.seconds:.3f}">{_took(row)}</data>'
    return "".join(
        (
            f'<tr id="item-{row.index}" role="row">',
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


def items_footer() -> str:
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
    return excerpt(row.title, _LONGEST_KEY)


def _state(row: LedgerRow) -> str:
    words = f'<span class="state {STATE_CLASSES[row.state]}">{row.state}</span>'
    if row.status is not None and (row.state, row.status) not in _SAID_BY_STATE:
        words += f' <span class="soft">({text(row.status)})</span>'
    if row.former_tasks:
        failed = "1 task" if len(row.former_tasks) == 1 else f"{len(row.former_tasks)} tasks"
        words += f' <span class="soft">after {failed} that failed</span>'
    elif row.attempts > 1:
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
    gallery = f'<div class="pictures">{"".join(map(_screenshot, details.pictures))}</div>'
    return f"<details open><summary>Screenshots</summary>{gallery}</details>{problem}"


def _screenshot(picture: Picture) -> str:
    caption = f"Screenshot {picture.number} of {picture.of}"
    return (
        f'<figure><img src="{text(picture.url)}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


# --- building blocks ------------------------------------------------------------------------


def _table(name: str, title: str | None, headings: Iterable[str], rows: Iterable[str]) -> str:
    """A small table; a heading that begins with # stands above numbers."""
    cells = "".join(
        f'<th scope="col"{" class=number" if each[0] == "#" else ""}>{each.lstrip("#")}</th>'
        for each in headings
    )
    heading = "" if title is None else f"<h2>{title}</h2>\n"
    body = "\n".join(rows)
    return (
        f'{heading}<table id="{name}" class="small">\n<thead><tr>{cells}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


@cache
def _asset(name: str) -> str:
    return (
        files("browser_use_async.cli.report").joinpath("assets", name).read_text(encoding="utf-8")
    )
