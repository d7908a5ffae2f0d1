"""The report in pieces of HTML, one after the other, so that a large one is never held whole. Pure.

What comes from elsewhere is escaped, and should a piece ever not be: the page allows no script, no
link to another host and only its own style.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from string import Template

from browser_use_async.batch.ledger.reading import LedgerView, Orphan
from browser_use_async.batch.report.figures import Figures
from browser_use_async.batch.report.histogram import bins, plot
from browser_use_async.batch.report.words import count, duration, excerpt, moment, money, text
from browser_use_async.batch.states import ItemState

__all__ = ["STATE_CLASSES", "durations", "end", "head", "orphans", "totals"]

_LONGEST_LABEL = 500

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
    """Tasks that nobody ordered twice and that exist twice, if there are any."""
    rows = [
        f'<tr><th scope="row">{text(each.task_id)}</th><td>{text(each.key)}</td>'
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
        files("browser_use_async.batch.report").joinpath("assets", name).read_text(encoding="utf-8")
    )
