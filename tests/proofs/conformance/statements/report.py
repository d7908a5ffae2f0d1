"""Checks a Cloud API v1 server by the specification, and reports the deviations."""

import asyncio
from typing import Any

import attrs

from browser_use_async.errors import ConfigurationError
from tests.proofs.conformance.statements import calls, lifecycle, submission_keys, webhooks
from tests.proofs.conformance.statements.probe import (
    CHECKS,
    Check,
    DeviationError,
    NotApplicableError,
    Probe,
    Settings,
)

__all__ = ["Outcome", "as_json", "as_text", "run_checks"]

_PARTS = (
    calls,
    lifecycle,
    submission_keys,
    webhooks,
)  # they register their checks when they are imported


@attrs.frozen
class Outcome:
    """The result of a check."""

    check: Check
    verdict: str  # `ok`, `deviates` or `skipped`
    reason: str = ""
    request: str = ""  # the exchange that shows a deviation
    answer: str = ""


async def run_checks(settings: Settings) -> list[Outcome]:
    """Run all checks against a server, one after the other."""
    probe = Probe(settings)
    outcomes = []
    try:
        for number, each in enumerate(CHECKS, start=1):
            outcomes.append(await _outcome(each, probe))
            if number == 1 and outcomes[0].answer.startswith("0 "):
                raise ConfigurationError(f"{settings.base_url}: {outcomes[0].reason}")
    finally:
        await probe.aclose()
    return outcomes


async def _outcome(each: Check, probe: Probe) -> Outcome:
    probe.last = None
    try:
        async with asyncio.timeout(3 * probe.settings.task_seconds):
            await each.function(probe)
    except NotApplicableError as error:
        return Outcome(each, "skipped", str(error))
    except TimeoutError:
        return _deviation(each, probe, "the check did not end in time")
    except DeviationError as error:
        return _deviation(each, probe, str(error))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        # Of a JSON that has another form than a check takes for granted.
        return _deviation(each, probe, f"the answer has another form ({error!r})")
    return Outcome(each, "ok")


def _deviation(each: Check, probe: Probe, reason: str) -> Outcome:
    last = probe.last
    request, answer = (last.request, last.answer) if last is not None else ("", "")
    return Outcome(each, "deviates", reason, request, answer)


def as_text(outcomes: list[Outcome]) -> str:
    """A line for each statement, what shows each deviation, and a score for each section."""
    lines: list[str] = []
    section = ""
    for each in outcomes:
        if each.check.section != section:
            section = each.check.section
            lines.append(section)
        lines.append(f"  {each.verdict:<10}{each.check.statement}")
        shown = (("", each.reason), ("sent ", each.request), ("got  ", each.answer))
        lines += [f"{'':12}{name}{text}" for name, text in shown if text]
    scores = [f"  {name:<20}{good:>3} of {tried}" for name, good, tried in _scores(outcomes)]
    return "\n".join([*lines, "", *scores])


def _scores(outcomes: list[Outcome]) -> list[tuple[str, int, int]]:
    """For each section and for all: how many of the applicable checks pass."""
    names = dict.fromkeys(each.check.section for each in outcomes)
    groups = [(name, [each for each in outcomes if each.check.section == name]) for name in names]
    return [
        (
            name,
            sum(each.verdict == "ok" for each in group),
            sum(each.verdict != "skipped" for each in group),
        )
        for name, group in [*groups, ("all", outcomes)]
    ]


def as_json(base_url: str, outcomes: list[Outcome]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "server": base_url,
        "ok": all(each.verdict != "deviates" for each in outcomes),
        "scores": {name: {"ok": good, "tried": tried} for name, good, tried in _scores(outcomes)},
        "checks": [
            {
                "section": each.check.section,
                "statement": each.check.statement,
                "verdict": each.verdict,
                **{
                    name: text
                    for name in ("reason", "request", "answer")
                    if (text := getattr(each, name))
                },
            }
            for each in outcomes
        ],
    }
