"""The report in pieces of HTML, written one by one so that memory stays bounded. Pure.

What comes from elsewhere is escaped, and should a piece ever not be: the page allows no link to
another host and, by their hashes, only its own style and script. Without the script, which filters
and sorts, everything is there as well.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from string import Template

from browser_use_async.batch.forecast import Forecast
from browser_use_async.batch.ledger.reader import LedgerView
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.cli.batch.failures import Failures
from browser_use_async.cli.batch.progress import joined_words
from browser_use_async.cli.report.figures import CENTS, SECONDS, Axis, Figures, bins, plot, quantile
from browser_use_async.cli.report.items import (
    LONGEST_KEY,
    STATES,
    cents,
    count,
    excerpt,
    in_state,
    moment,
    money,
    text,
)
from browser_use_async.cli.times import time_span

_LONGEST_LABEL = 500

_TIMES = Axis("durations", "How long tasks took", "Time", time_span, SECONDS, "longest")
_COSTS = Axis("costs", "What items cost", "Cost", cents, CENTS, "dearest")


def head(view: LedgerView, figures: Figures, rest: Forecast | None) -> str:
    """Everything down to the most important figures."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(_asset("head.html")).substitute(
        policy=policy,
        name=text(view.name),
        style=style,
        verdict=_verdict(figures),
        proportions=_proportions(figures),
        labels="\n".join(
            f"<p><span class='soft'>{text(name)}:</span> {excerpt(value, _LONGEST_LABEL)}</p>"
            for name, value in sorted(view.labels.items())
        ),
        figures="\n".join(_figures(view, figures, rest)),
    )


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _verdict(figures: Figures) -> str:
    """How it went, in one line; states in which no item is are left out."""
    parts = [
        in_state(state, f"{figures.counts[state]:,} {look.word}")
        for state, look in STATES.items()
        if figures.counts[state]
    ]
    joined = joined_words(figures.joined, figures.total, figures.joined_failed)
    said = "Nothing was read yet" if not parts else ", ".join(parts)
    return f'{said}.<span id="joined"> {joined}.</span>' if joined else f"{said}."


def _proportions(figures: Figures) -> str:
    """The states as one bar, for the eye alone: the line above it has the figures."""
    if not figures.total:
        return ""
    pieces, left = [], 0.0
    for state, look in STATES.items():
        width = 100 * figures.counts[state] / figures.total
        if width:
            place = f'x="{left:.2f}" width="{width:.2f}" height="2"'
            pieces.append(f'<rect class="{look.style}" {place}/>')
        left += width
    shape = 'viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true"'
    return f'<svg class="proportions" {shape}>{"".join(pieces)}</svg>'


def _figures(view: LedgerView, figures: Figures, rest: Forecast | None) -> Iterator[str]:
    yield _figure("total", "Items", count(figures.total))
    yield _figure("finished", "Finished", count(figures.counts[ItemState.DONE]))
    yield _figure("cost", "Cost", money(figures.cost_cents))
    if view.budget_cents is not None:
        yield _figure("budget", "Budget", money(view.budget_cents))
    if rest is not None and rest.items:
        yield _figure("cost-to-come", "About to come", money(rest.cents))
        if rest.seconds is not None:
            yield _figure("time-to-come", "In about", time_span(rest.seconds))
    if figures.durations:
        yield _figure("median", "Median", time_span(figures.quantile(0.5)))
    if figures.elapsed is not None:
        yield _figure("elapsed", "From first to last", time_span(figures.elapsed.total_seconds()))
    if figures.steps:
        yield _figure("steps", "Steps", count(figures.steps))
    if view.runs > 1:
        yield _figure("runs", "Runs", count(view.runs))


def _figure(name: str, label: str, value: str) -> str:
    return f'<div><dt>{label}</dt><dd id="{name}">{value}</dd></div>'


def totals(figures: Figures) -> str:
    """How many items are in which state, of those in which some are."""
    rows = [
        f'<tr><th scope="row" class="state {look.style}">{state}</th>'
        f'<td class="number" id="state-{state.replace(" ", "-")}">'
        f"{count(figures.counts[state])}</td><td>{look.meaning}</td></tr>"
        for state, look in STATES.items()
        if figures.counts[state]
    ]
    return _table("states", "States", ("State", "#Items", "What it means"), rows) if rows else ""


def plots(figures: Figures) -> str:
    """How long the tasks took and what the items cost, as plots and as tables."""
    if not figures.durations and not figures.costs:
        return "<h2>Durations and costs</h2>\n<p>No task has ended yet.</p>"
    span = f" From {moment(figures.began_at)} to {moment(figures.ended_at)}."
    times, costs = _plot(_TIMES, figures.durations, span), _plot(_COSTS, figures.costs)
    return f'<h2>Durations and costs</h2>\n<div class="plots">\n{times}{costs}</div>'


def _plot(axis: Axis, values: Sequence[float], about: str = "") -> str:
    if not values:
        return ""
    marks = ", ".join(
        f"{label} {axis.words(quantile(values, share))}"
        for label, share in (("Median", 0.5), ("nine in ten within", 0.9), (axis.most, 1))
    )
    rows = (
        f'<tr><th scope="row">{axis.words(each.start)} to {axis.words(each.end)}</th>'
        f'<td class="number">{count(each.count)}</td></tr>'
        for each in bins(values, axis.widths)
    )
    table = _table(axis.name, None, (axis.unit, "#Items"), rows)
    return (
        f'<figure class="card plot" id="plot-of-{axis.name}">\n'
        f"<figcaption><b>{axis.title}</b><span>{marks}.{about}</span></figcaption>\n"
        f"{plot(values, axis)}\n"
        f"<details><summary>The same as a table</summary>\n{table}\n</details>\n</figure>\n"
    )


def end() -> str:
    """What closes the page."""
    return (
        '<p class="soft note">Costs are computed from the steps of each task and the published '
        "prices. Times are those of the service.</p>\n</main>\n"
        f"<script>{_asset('report.js')}</script>\n</body>\n</html>\n"
    )


def failures(found: Failures) -> Iterator[str]:
    """The reasons why items failed, each with the first of them; nothing if none did."""
    reasons = list(found)
    if not reasons:
        return
    yield '<h2 id="failures">Failed, refused or unknown</h2>'
    yield '<ul id="trouble" class="card">'
    for each in reasons:
        links = ", ".join(
            f'<a href="#item-{index}">{excerpt(title, LONGEST_KEY)}</a>'
            for index, title in each.rows
        )
        more = each.count - len(each.rows)
        rest = f" and {more:,} more" if more else ""
        state = in_state(each.state, each.state)
        yield f"<li>{each.count:,} {state} {text(each.text)}: {links}{rest}</li>"
    yield "</ul>"


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
