"""`conform`: hold a Cloud API v1 server to the specification, and print where it deviates."""

import argparse
import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.api.limits import is_loopback
from browser_use_async.cli.conform import calls, lifecycle, webhooks
from browser_use_async.cli.conform.probe import (
    CHECKS,
    Check,
    DeviationError,
    NotApplicableError,
    Probe,
    Settings,
)
from browser_use_async.cli.connect import NO_KEY
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import given_key, seconds, secret_from_file
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.config import Configuration
from browser_use_async.types.secrets import Secret

_PARTS = (calls, lifecycle, webhooks)  # they register their checks when they are imported
_WEBSITE = "https://example.com"
_TASK = "Open {website} and tell me its title"
_SLOW_TASK = "Open {website}. Wait 30 seconds. Tell me the title"
_TASKS = 14  # that one run creates; most are stopped at once


@attrs.frozen
class Outcome:
    """What a check came to."""

    check: Check
    verdict: str  # `ok`, `deviates` or `skipped`
    reason: str = ""
    request: str = ""  # the exchange that shows a deviation
    answer: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("url", metavar="URL", help="the server; /api/v1 is added if it is missing")
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="a file that holds the key and no more"
    )
    key.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key itself; other users of the machine can see it in the process list "
        "(default: BROWSER_USE_API_KEY)",
    )
    parser.add_argument(
        "--allow-insecure-http",
        action="store_true",
        help="let the key travel over http:// to another machine",
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help=f"create {_TASKS} tasks and make two searches on a server of another machine",
    )
    _add_tasks(parser)
    _add_webhooks(parser)


def _add_tasks(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_argument_group("tasks")
    tasks.add_argument(
        "--task",
        default=_TASK,
        metavar="TEXT",
        help="a task that finishes soon (default: %(default)s)",
    )
    tasks.add_argument(
        "--slow-task",
        default=_SLOW_TASK,
        metavar="TEXT",
        help="a task that takes half a minute (default: %(default)s)",
    )
    tasks.add_argument(
        "--website",
        default=_WEBSITE,
        metavar="URL",
        help="what {website} stands for, and what is searched (default: %(default)s)",
    )
    tasks.add_argument(
        "--task-timeout",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="how long a task may take (default: %(default)g)",
    )


def _add_webhooks(parser: argparse.ArgumentParser) -> None:
    hooks = parser.add_argument_group(
        "webhooks", "The bundled server registers a webhook by itself; others need one."
    )
    hooks.add_argument(
        "--webhook-listen",
        type=_address,
        default=("127.0.0.1", 0),
        metavar="HOST:PORT",
        help="where to receive events",
    )
    hooks.add_argument(
        "--webhook-secret-file",
        metavar="FILE",
        help="the secret of a webhook that leads there",
    )


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the checks and print what they came to."""
    settings = _settings(options)
    if not options.yes and not is_loopback(urlsplit(settings.base_url).hostname or ""):
        raise ConfigurationError(
            f"{_TASKS} tasks and two searches are created on {settings.base_url}, which "
            "costs money there; pass --yes if that is meant. Nothing was sent"
        )
    with console.status("checking") as show:
        outcomes = await run_checks(settings, progress=show)
    if not console.stdout_is_tty:
        console.result(_as_json(settings.base_url, outcomes))
    if not options.json:
        _print_outcomes(outcomes, console)
    has_deviated = any(each.verdict == "deviates" for each in outcomes)
    return ExitCode.TASK_FAILED if has_deviated else ExitCode.FINISHED


async def run_checks(settings: Settings, *, progress: Any = None) -> list[Outcome]:
    """Run all checks against a server, one after the other."""
    probe = Probe(settings)
    outcomes = []
    try:
        for number, each in enumerate(CHECKS, start=1):
            if progress is not None:
                progress(f"{number} of {len(CHECKS)}: {each.section}")
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


def _settings(options: argparse.Namespace) -> Settings:
    given = given_key(options)
    base_url = options.url.rstrip("/")
    if not base_url.endswith(API_PREFIX):
        base_url += API_PREFIX
    configuration = Configuration.resolve(
        Secret.hide(given), base_url, None, allow_insecure_http=options.allow_insecure_http
    )
    if configuration.api_key is None:
        raise ConfigurationError(NO_KEY)
    secret_file: str | None = options.webhook_secret_file
    webhook_secret = secret_file and secret_from_file(secret_file, "--webhook-secret-file")
    return Settings(
        base_url=configuration.base_url,
        api_key=configuration.api_key.reveal(),
        task=options.task.replace("{website}", options.website),
        slow_task=options.slow_task.replace("{website}", options.website),
        website=options.website,
        task_seconds=options.task_timeout,
        webhook_address=options.webhook_listen,
        webhook_secret=webhook_secret,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError("write it as HOST:PORT, as in 127.0.0.1:8080")
    return host, int(port)


_STYLES = {"ok": Style.GOOD, "deviates": Style.BAD, "skipped": Style.WAITING}


def _print_outcomes(outcomes: list[Outcome], console: Console) -> None:
    section = ""
    for each in outcomes:
        if each.check.section != section:
            section = each.check.section
            console.info((section, Style.STRONG))
        prefix: list[Span] = [(f"  {each.verdict:<10}", _STYLES[each.verdict])]
        console.labelled(prefix, each.check.statement)
        for name, text in (("", each.reason), ("sent ", each.request), ("got  ", each.answer)):
            if text:
                console.labelled([" " * 12 + name], text)
    console.info()
    for name, good, tried in _scores(outcomes):
        style = Style.GOOD if good == tried else Style.BAD
        console.info((f"  {name:<20}", Style.PLAIN), (f"{good:>3} of {tried}", style))


def _scores(outcomes: list[Outcome]) -> list[tuple[str, int, int]]:
    """For each section and for all: how many of the checks that apply hold."""
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


def _as_json(base_url: str, outcomes: list[Outcome]) -> dict[str, Any]:
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
