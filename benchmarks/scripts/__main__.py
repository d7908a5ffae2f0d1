"""Plays recorded scripts on sites that have changed, and prints the results.

`make bench-scripts`; the exit code is 1 if a required figure is missed, or if the control, which
must give wrong answers, gives none. QUICK=1 plays fewer rows, and kills at fewer steps.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.harness import machine, table
from benchmarks.scripts.kills import Kills, kill_at_each_step
from benchmarks.scripts.pairs import RIGHT, WRONG, count
from benchmarks.scripts.rows import Rows, play_rows
from benchmarks.scripts.runs import Outcome, Verdict
from benchmarks.scripts.site import Version
from benchmarks.scripts.sites import SITES, Shop
from benchmarks.scripts.sweep import CHANGED, SiteReport, sweep

__all__ = ["main"]

RESULTS = Path(__file__).parents[1] / "results" / "scripts.md"
MOST_CALLS = 2  # of the model, for the rows that are played
RIGHT_SHARE = 0.95  # of sites that only read, by the script or the agent, where they changed
READ_BY_NAME = 41  # of the pairs of pages
TIME_SHARE = 1 / 3  # of the agent's time, with a model that answers in 1 s
# A value that has no name on its page needs the model, once for each play; this is the line of a
# script that says so. Of the sites one has it: its field "faellig" is called "Fällig am".
_NAMELESS = "\nneeds the model: "
_NAMELESS_SITES = 1
Goal = tuple[str, str, str, bool]  # what, wanted, measured, whether it is met


def site_lines(reports: Sequence[SiteReport]) -> Iterator[tuple[str, ...]]:
    """A line for each site."""
    for each in reports:
        first = each.recorded
        made = f"{first.seconds:.1f} s, {each.agent_calls}"
        if not first.text:
            made = f"**not recorded**: {first.why}"
        cells = [_cell(each, version) for version in Version]
        wrong = [version for version, it in each.unguarded.items() if it.verdict is Verdict.WRONG]
        yield each.site.kind, made, *cells, ", ".join(wrong) or "-"


def _cell(report: SiteReport, version: Version) -> str:
    outcome, renewed = report.guarded.get(version), report.renewed.get(version)
    if outcome is None:
        return "-"
    calls = f", {outcome.calls} call{'' if outcome.calls == 1 else 's'}" if outcome.calls else ""
    agent = "" if renewed is None else f"; agent: {renewed.verdict}, {renewed.seconds:.1f} s"
    return f"{outcome.verdict}{calls}, {outcome.seconds:.1f} s{agent}"


def goals(reports: Sequence[SiteReport], kills: Kills | None, rows: Rows | None) -> Iterator[Goal]:
    """The goals of scripts, with what was measured."""
    sites = len(reports)
    recorded = [each for each in reports if each.guarded]
    nameless = sum(_NAMELESS in each.recorded.text for each in recorded)
    for name, plays in (
        ("same site, data and inputs", [each.unchanged[0] for each in recorded]),
        ("same site, other data and inputs", [each.guarded[Version.SAME] for each in recorded]),
    ):
        right, texts = _right(plays), [each.recorded.text for each in recorded]
        calls, are_few = _calls([*zip(texts, plays, strict=True)])
        yield (
            f"{name}: played right, model calls (one for a value without a name)",
            f"{sites} of {sites}, 0 (of {_NAMELESS_SITES} site at most)",
            f"{right} of {sites}, {calls}",
            right == sites and are_few and nameless <= _NAMELESS_SITES,
        )  # fmt: skip
    ended = [
        (each, each.renewed.get(version, each.guarded[version]))
        for each in reports
        if each.guarded
        for version in CHANGED
    ]
    reading = [outcome for each, outcome in ended if not each.site.changes]
    share = _right(reading) / max(len(reading), 1)
    yield (
        "words, structure or a banner changed: sites that only read, right by script or agent",
        f">= {RIGHT_SHARE:.0%}", f"{share:.0%} of {len(reading)}", share >= RIGHT_SHARE,
    )  # fmt: skip
    changing = [outcome for each, outcome in ended if each.site.changes]
    careful = sum(each.verdict in {Verdict.RIGHT, Verdict.ASKED} for each in changing)
    yield (
        "the same, sites with a changing step: right, or a person is asked", "all",
        f"{careful} of {len(changing)}", careful == len(changing),
    )  # fmt: skip
    yield _new_versions(reports)
    guarded = [
        outcome
        for each in reports
        for kept in (each.guarded, each.renewed, each.replayed)
        for outcome in kept.values()
    ]
    unguarded = [it for each in reports for it in each.unguarded.values()]
    wrong, off = _wrong(guarded), _wrong(unguarded)
    yield "wrong answers, of all plays", "0", f"{wrong} of {len(guarded)}", not wrong
    yield "control, guards off: must be wrong", "> 0", f"{off} of {len(unguarded)}", off > 0
    bad = sum(each.bad_changes for each in guarded)
    yield "changing steps on a page that differs, or twice", "0", f"{bad}", not bad
    shares = [
        each.guarded[Version.SAME].seconds / each.recorded.seconds
        for each in reports
        if each.guarded
    ]
    share, least, most = median(shares or [1.0]), min(shares or [1.0]), max(shares or [1.0])
    yield (
        "time of a play against the agent's, median", "<= 0.33",
        f"{share:.2f} ({least:.2f} to {most:.2f})", share <= TIME_SHARE,
    )  # fmt: skip
    pairs = count()
    yield (
        f"{sum(pairs.values())} pairs of pages: read by name; wrong", f">= {READ_BY_NAME}, 0",
        f"{pairs[RIGHT]}, {pairs[WRONG]}", pairs[RIGHT] >= READ_BY_NAME and not pairs[WRONG],
    )  # fmt: skip
    if kills is not None:
        found = f"{kills.points} kills: {kills.twice} twice, {kills.wrong} wrong"
        is_right = not (kills.twice or kills.wrong or kills.unended) and kills.points > 0
        yield "kill -9 of the server at each step of an order: ordered twice", "0", found, is_right
    if rows is not None:
        estimate = rows.first_seconds * rows.count / 2
        found = (
            f"{rows.right} right, {rows.wrong} wrong; {rows.played} played, {rows.calls} calls "
            f"({rows.agent_calls} for the first); {rows.seconds:.0f} s, by the agent about "
            f"{estimate:.0f} s"
        )
        is_right = (
            rows.right == rows.count and rows.played == rows.count - 1 and rows.calls <= MOST_CALLS
        )
        yield (
            f"{rows.count} rows with one script, two at once",
            f"{rows.count - 1} played, <= {MOST_CALLS} calls", found, is_right,
        )  # fmt: skip


def _new_versions(reports: Sequence[SiteReport]) -> Goal:
    """The goal of what the agent has recorded where a script did not fit."""
    plays = [
        (each.renewed[version].text, outcome)
        for each in reports
        for version, outcome in each.replayed.items()
    ]
    right, renewed = _right(outcome for _, outcome in plays), sum(len(it.renewed) for it in reports)
    calls, are_few = _calls(plays)
    return (
        "done anew by the agent, the next time: right, calls (one for a value without a name)",
        "all, 0", f"{right} of {renewed}, {calls}", right == renewed > 0 and are_few,
    )  # fmt: skip


def _calls(plays: Sequence[tuple[str, Outcome]]) -> tuple[str, bool]:
    """The calls of the model in plays of scripts, and whether there were no others than needed."""
    nameless = [outcome.calls for text, outcome in plays if _NAMELESS in text]
    others = sum(outcome.calls for text, outcome in plays if _NAMELESS not in text)
    said = f" ({sum(nameless)} for {len(nameless)} with such values)" if nameless else ""
    return f"{others}{said}", not others and all(each <= 1 for each in nameless)


def _right(outcomes: Iterable[Outcome]) -> int:
    return sum(each.verdict is Verdict.RIGHT for each in outcomes)


def _wrong(outcomes: Iterable[Outcome]) -> int:
    return sum(each.verdict is Verdict.WRONG for each in outcomes)


def totals(reports: Sequence[SiteReport], name: str, attribute: str) -> Iterator[tuple[str, ...]]:
    """The results of each version, over all sites."""
    for version in Version:
        plays: list[Mapping[Version, Outcome]] = [getattr(each, attribute) for each in reports]
        found = [each[version].verdict for each in plays if version in each]
        yield f"{version}, {name}", *(str(found.count(each)) for each in Verdict)


async def measure(*, is_quick: bool) -> tuple[str, bool]:
    """All figures as Markdown, and whether all required ones are met."""
    reports = await sweep(SITES)
    text = next((each.recorded.text for each in reports if each.site is Shop), "")
    kills = await kill_at_each_step(text, stride=2 if is_quick else 1) if text else None
    rows = await play_rows(50 if is_quick else 500)
    found = [*goals(reports, kills, rows)]
    lines = [(*each[:3], "met" if each[3] else "**missed**") for each in found]
    versions = [*totals(reports, "with guards", "guarded"), *totals(reports, "off", "unguarded")]
    names = [str(each) for each in Version]
    parts = (
        table(("goal", "wanted", "measured", "verdict"), lines),
        table(("version", *(str(each) for each in Verdict)), versions),
        table(
            ("site", "recorded by the agent, calls", *names, "wrong with guards off"),
            [*site_lines(reports)],
        ),
    )
    return "\n\n".join(parts), all(each[3] for each in found) and all(
        r.recorded.text for r in reports
    )


def main() -> int:
    """Measure, keep the results and print them."""
    is_quick, began = "--quick" in sys.argv, time.monotonic()
    text, is_right = asyncio.run(measure(is_quick=is_quick))
    minutes = (time.monotonic() - began) / 60
    packages = ("browser-use", "playwright")
    text = f"{text}\n\n{minutes:.0f} minutes. {machine(packages)}"
    print(f"\n{text}")
    form = ", in its short form" if is_quick else ""
    RESULTS.write_text(f"# Scripts\n\nWritten by `make bench-scripts`{form}.\n\n{text}\n")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
