"""Validation of the options of a server, where these have no room of their own that checks them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, get_args

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from browser_use_async.server.faults import check_faults
from browser_use_async.server.storage.account import Plan
from browser_use_async.server.webhooks import Webhook


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse values that cannot be meant, before anything is opened."""
    for name, check in _RULES.items():
        check(f"LocalServer.{name}", options[name])


def _executor(field: str, value: object) -> None:
    if isinstance(value, str):
        return  # `choose_executor` knows the names
    if isinstance(value, type) or not callable(getattr(value, "run", None)):
        raise ConfigurationError(
            f"{field}: {checks.shown(value)} is no executor; pass its name, such as 'scripted', "
            "ScriptedExecutor({...}), or another object with the methods of an executor"
        )


def _settings(kind: type) -> checks.Check:
    return checks.optional(lambda field, value: checks.instance(field, value, kind))


def _clock(field: str, value: object) -> None:
    if not callable(value):
        raise ConfigurationError(
            f"{field}: {checks.shown(value)} is no function that gives the time"
        )


def _plan(field: str, value: object) -> None:
    checks.one_of(field, value, get_args(Plan))


def _money(field: str, value: Any) -> None:
    # How much it may be is for the account to say.
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ConfigurationError(f"{field}: {checks.shown(value)} is no amount in US cents")


def _size(field: str, value: object) -> None:
    checks.integer(field, value, 0)


def _webhooks(field: str, value: Sequence[object]) -> None:
    checks.sequence(field, value, "webhooks")
    for number, each in enumerate(value):
        hint = "; write Webhook(url, secret)" if isinstance(each, str) else ""
        checks.instance(f"{field}[{number}]", each, Webhook, hint)


_FLAGS = ("screenshots", "recordings", "allow_any_host", "behind_proxy")
_DURATIONS = ("stop_cleanup_delay", "link_lifetime", "page_lifetime", "webhook_retry_delay")
_RULES: Mapping[str, checks.Check] = {
    "host": checks.text,
    "port": checks.integer,
    "api_key": checks.optional(checks.text),
    "executor": _executor,
    "chromium": _settings(ChromiumSettings),
    "agent": _settings(AgentSettings),
    "cloud": _settings(CloudSettings),
    "now": checks.optional(_clock),
    **dict.fromkeys(_FLAGS, checks.flag),
    **dict.fromkeys(_DURATIONS, checks.seconds),
    "plan": _plan,
    "balance_cents": _money,
    "max_concurrent_tasks": checks.optional(checks.count),
    "max_upload_bytes": _size,
    "task_days": checks.optional(checks.number),
    "faults": checks.optional(check_faults),
    "webhooks": _webhooks,
    "max_wrong_keys": checks.integer,
}
