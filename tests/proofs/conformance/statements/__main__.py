"""`python -m tests.proofs.conformance.statements URL`: check a server by the specification.

The key is BROWSER_USE_API_KEY. The exit code is 0 if no statement deviates, 1 otherwise, and 2 if
the server was not checked.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.config import Configuration
from browser_use_async.types.secrets import Secret
from tests.proofs.conformance.statements.probe import QUICK_TASK, SLOW_TASK, Settings
from tests.proofs.conformance.statements.report import as_json, as_text, run_checks

_WEBSITE = "https://example.com"
_TASKS = 20  # that one run creates; most are stopped at once


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.conformance.statements")
    add = parser.add_argument
    add("url", metavar="URL", help="the server; /api/v1 is added if it is missing")
    add("--allow-insecure-http", action="store_true", help="let the key travel over http://")
    add("--yes", action="store_true", help="create tasks on a server of another machine")
    add("--json", action="store_true", help="the outcome as JSON")
    add("--website", default=_WEBSITE, help="what {website} stands for, and what is searched")
    add("--task", default=QUICK_TASK, help="a task that finishes soon (default: %(default)s)")
    add("--slow-task", default=SLOW_TASK, help="one of half a minute (default: %(default)s)")
    add("--task-timeout", type=float, default=120.0, metavar="SECONDS", help="the most for a task")
    add("--webhook-listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    add("--webhook-secret-file", type=Path, metavar="FILE", help="of a webhook that leads there")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError("write it as HOST:PORT, as in 127.0.0.1:8080")
    return host, int(port)


def _settings(options: argparse.Namespace) -> Settings:
    base_url = options.url.rstrip("/")
    if not base_url.endswith(API_PREFIX):
        base_url += API_PREFIX
    key = Secret.hide(os.environ.get("BROWSER_USE_API_KEY") or None)
    given = Configuration.resolve(
        key, base_url, None, allow_insecure_http=options.allow_insecure_http
    )
    if given.api_key is None:
        raise ConfigurationError("no API key: set BROWSER_USE_API_KEY")
    if not options.yes and not is_loopback(urlsplit(given.base_url).hostname or ""):
        raise ConfigurationError(
            f"{_TASKS} tasks and two searches are created on {given.base_url}, which costs money "
            "there; pass --yes if that is meant. Nothing was sent"
        )
    secret: Path | None = options.webhook_secret_file
    return Settings(
        base_url=given.base_url,
        api_key=given.api_key.reveal(),
        website=options.website,
        quick_text=options.task,
        slow_text=options.slow_task,
        task_seconds=options.task_timeout,
        webhook_address=options.webhook_listen,
        webhook_secret=None if secret is None else secret.read_text().strip(),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check each statement, print the outcome, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        outcomes = asyncio.run(run_checks(settings))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    report = as_json(settings.base_url, outcomes)
    print(json.dumps(report) if options.json else as_text(outcomes))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
