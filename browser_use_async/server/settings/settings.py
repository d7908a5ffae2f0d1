"""The settings of a server: each is a field with its kind, default, option and help.

`LocalServer` takes them as keywords, `serve` as options, and docs/command-line.md lists them.
"""

import logging
import os
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal, get_args

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.address import is_postgres
from browser_use_async.server import checks
from browser_use_async.server import setting_kinds as kinds
from browser_use_async.server.executors.choice import AUTO, CHOICES, described, in_words
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.executors.settings import (
    DEFAULT_SLOTS,
    AgentSettings,
    ChromiumSettings,
)
from browser_use_async.server.faults import Fault, check_faults, fault_from_text, faults_from_file
from browser_use_async.server.http.access import origin_of
from browser_use_async.server.search.backends import SEARXNG, SearchBackend
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.secrets.sources import file_of, is_source, read_secret
from browser_use_async.server.setting_kinds import setting
from browser_use_async.server.settings.listen_address import ListenSettings
from browser_use_async.server.storage.account import DEFAULT_BALANCE_CENTS
from browser_use_async.server.webhooks import Webhook
from browser_use_async.server.webhooks.events import RETRY_PAUSES

Role = Literal["api", "worker", "both"]

LEAST_LEASE = 10
"""Seconds in which a busy machine still asks the database twice, before a worker gives up."""

_PREFIX = "BROWSER_USE_SERVER_"
_logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time of the machine's clock."""
    return datetime.now(UTC)


# --- kinds ----------------------------------------------------------------------------------


def _executor(field: str, value: object) -> None:
    if isinstance(value, str):
        return  # `choose_executor` knows the names
    missing = [each for each in ("run", "check", "aclose", "name") if not hasattr(value, each)]
    if isinstance(value, type) or "run" in missing:
        raise ConfigurationError(
            f"{field}: {checks.shown(value)} is no executor; pass its name, such as 'scripted', "
            "ScriptedExecutor({...}), or another object with the methods of an executor"
        )
    if missing:
        raise ConfigurationError(
            f"{field}: {checks.shown(value)} has no {missing[0]}; let its class inherit from "
            "browser_use_async.server.executors.protocol.Executor"
        )


def _clock(field: str, value: object) -> None:
    if not callable(value):
        raise ConfigurationError(f"{field}: {checks.shown(value)} is no clock; pass a function")


def _webhooks(field: str, value: Sequence[object]) -> None:
    checks.sequence(field, value, "webhooks")
    for number, each in enumerate(value):
        hint = "; write Webhook(url, secret)" if isinstance(each, str) else ""
        checks.instance(f"{field}[{number}]", each, Webhook, hint)


def _pauses(field: str, value: Sequence[object]) -> None:
    checks.sequence(field, value, "seconds")
    for number, each in enumerate(value):
        checks.seconds(f"{field}[{number}]", each)


def _faults(text: str) -> list[Fault]:
    path = file_of(text)
    return [fault_from_text(text)] if path is None else faults_from_file(path)


def _source(text: str) -> str:
    prefix = SEARXNG if text.startswith(SEARXNG) else ""
    return prefix + kinds.parse_url(text.removeprefix(prefix))


_DATABASE = kinds.Kind(
    unit="file or URL",
    metavar="FILE",
    check=checks.path,
    parse=lambda text: read_secret(text).strip(),
    reveals=lambda text: not is_source(text) and is_postgres(text) and "@" in text,
)


def _lease(field: str, value: Any) -> None:
    if not checks.is_number(value) or not LEAST_LEASE <= value <= 3600:
        raise ConfigurationError(
            f"{field} must be a number of seconds from {LEAST_LEASE} to 3600; in less time a "
            "machine that is only busy would count as lost"
        )


def _node_url(field: str, value: Any) -> None:
    checks.text(field, value)
    if origin_of(_named(value).removesuffix("/")) is None:
        raise ConfigurationError(
            f"{field} must be an address such as http://10.0.0.5:8765, without a path or user"
        )


def _named(url: str) -> str:
    return url.replace("{hostname}", socket.gethostname())


# --- groups ---------------------------------------------------------------------------------


@attrs.frozen(kw_only=True, slots=False)
class StorageSettings:
    """What a server stores, where, and for how long."""

    database: str | os.PathLike[str] = setting(
        ":memory:",
        _DATABASE,
        "where to store everything",
        more="A file of this server alone, which is created if it does not exist; or "
        "`postgresql://…`, which [several servers](fleet.md) share. With `:memory:` nothing is "
        "written to a disk. Secrets, cookies and webhooks are written only if they can be "
        "encrypted with the key in `BROWSER_USE_SERVER_KEY`.",
        option="--database",
        leads=True,
        otherwise="in memory only",
    )
    files: str | None = setting(
        None,
        kinds.Kind(unit="URL", metavar="URL", check=checks.text),
        "object storage for files, s3://bucket/prefix",
        more="Credentials come from the environment variables of AWS; it needs the extra `s3`. By "
        "default files are stored in the database.",
        option="--files",
    )
    task_days: int | None = setting(
        None,
        kinds.whole(1, 36_500, unit="days", metavar="DAYS"),
        "the days to keep a task after its end",
        more="The oldest first, with their steps and files, up to the first task that is to be "
        "kept.",
        option="--task-days",
        explained=True,
        otherwise="for ever",
    )
    screenshots: bool = setting(True, kinds.FLAG, "store no screenshots", option="--no-screenshots")
    recordings: bool = setting(
        True,
        kinds.FLAG,
        "store no films of the browser",
        more="They are made where there is ffmpeg.",
        option="--no-recordings",
    )

    @property
    def task_lifetime(self) -> timedelta | None:
        """How long ended tasks are kept, or None for ever."""
        return None if self.task_days is None else timedelta(days=self.task_days)


@attrs.frozen(kw_only=True, slots=False)
class ServiceSettings:
    """The account with its limits, searches, webhooks, and faults."""

    balance_cents: Decimal | float = setting(
        DEFAULT_BALANCE_CENTS,
        kinds.amount("US cents", "CENTS"),
        "the balance at the first start, in US cents",
        more="Tasks and searches cost the published prices.",
        option="--balance-cents",
    )
    max_concurrent_tasks: int | None = setting(
        None,
        kinds.COUNT,
        "the most tasks at once; more get status 429",
        otherwise="any number",
        option="--max-concurrent-tasks",
    )
    max_calls: int | None = setting(
        None,
        kinds.COUNT,
        "the most calls of an owner in a minute; more get 429",
        more="`Retry-After` says when the next minute begins. Each server of a fleet counts "
        "separately.",
        otherwise="any number",
        option="--max-calls",
    )
    search: SearchBackend | str | Sequence[str] | None = setting(
        None,
        kinds.Kind(
            unit="URL",
            metavar="URL",
            check=lambda _field, _value: None,  # `choose_backend` knows what it may be
            parse=_source,
            gather=list,
        ),
        "a website for simple-search to index, or searxng:URL",
        more="It can be repeated, except for `searxng:URL`, the address of a SearXNG server. In "
        "a program it is one such text, a list of addresses of websites, or an object with the "
        "method `addresses`. Without it simple-search answers 503, except that `serve` with the "
        "example site searches that site.",
        option="--search",
        explained=True,
    )
    faults: Sequence[Fault] | None = setting(
        None,
        kinds.Kind(
            unit="faults",
            metavar="RULE",
            check=check_faults,
            parse=_faults,
            gather=lambda values: [each for found in values for each in found],
        ),
        "a fault on purpose, for tests of clients",
        more="`KIND [OPERATION,...] [NAME=VALUE ...]`, such as `lost_reply run_task calls=1`, or "
        "`file:faults.json`; it can be repeated. See [faults](testing.md#faults-on-purpose).",
        option="--fault",
        explained=True,
    )
    webhooks: Sequence[Webhook] = setting(
        (),
        kinds.Kind(unit="webhooks", check=_webhooks),
        "the webhooks that receive events about tasks, once they pass the test event",
    )
    submission_keys: bool = setting(
        True,
        kinds.FLAG,
        "ignore submission keys, as other v1 servers do",
        more="Clients then search for the task of a lost answer. See [submission "
        "keys](server.md#submission-keys).",
        option="--no-submission-keys",
    )
    now: Callable[[], datetime] = kinds.unlisted(utc_now, _clock)
    webhook_retry_pauses: Sequence[float] = kinds.unlisted(RETRY_PAUSES, _pauses)


@attrs.frozen(kw_only=True, slots=False)
class FleetSettings:
    """The settings of one of several servers with one database."""

    role: Role = setting(
        "both",
        kinds.one_of(*get_args(Role), metavar="ROLE"),
        "api, worker or both",
        more="With several servers on one database: `api` creates tasks and runs schedules, "
        "`worker` carries tasks out and delivers events. A worker answers calls, too.",
        option="--role",
        explained=True,
    )
    node_url: str | None = setting(
        None,
        kinds.Kind(unit="URL", metavar="URL", check=_node_url),
        "where people's browsers reach this server of several",
        more="Such as `https://worker-1.example`: the live pages of its tasks lead there from all "
        "servers. `{hostname}` in it stands for the name of the machine.",
        option="--node-url",
    )
    # Seconds after which a silent server counts as lost; its tasks fail then.
    lease: float = kinds.unlisted(30.0, _lease)
    # Seconds in which running tasks may end when the server closes; Kubernetes gives as many.
    drain: float = kinds.unlisted(600.0, checks.seconds)

    @property
    def node_address(self) -> str | None:
        """The address of this server for people's browsers."""
        return None if self.node_url is None else _named(self.node_url)

    @property
    def has_fleet_settings(self) -> bool:
        """Whether a setting is given that only servers with a shared database have."""
        return any(getattr(self, each.name) != each.default for each in attrs.fields(FleetSettings))


@attrs.frozen(kw_only=True, slots=False)
class ServerSettings(ListenSettings, StorageSettings, ServiceSettings, FleetSettings):
    """All settings of one server.

    Raises:
        ConfigurationError: A setting is invalid, or two settings exclude each other.
    """

    called: ClassVar = "LocalServer"

    executor: str | Executor = setting(
        AUTO,
        kinds.Kind(unit="executor", metavar="NAME", check=_executor, choices=CHOICES),
        in_words(),
        more=f"What carries out the tasks. {described()}. `auto` is the first of these whose "
        "requirements are there. A program may pass any object with the methods of "
        "`executors.protocol.Executor`; the server closes it at the end.",
        option="--executor",
        leads=True,
    )
    chromium: ChromiumSettings | None = setting(
        None,
        kinds.value_of(ChromiumSettings, "browser"),
        "the browser, and what it may do",
    )
    agent: AgentSettings | None = setting(
        None, kinds.value_of(AgentSettings, "agent"), "the language model of `browser_use`"
    )

    scripts: str | os.PathLike[str] | None = setting(
        None,
        kinds.PATH,
        "a folder of scripts to load",
        more="Its files NAME.script are read at the start. A file with a new text becomes the "
        "latest version of the script with its name. Scripts belong to the owner `default`.",
        option="--scripts",
        explained=True,
    )
    scripts_unattended: bool = setting(
        False,
        kinds.FLAG,
        "never pause a script to wait for a person",
        more="A task fails if its script needs a person. Without this option, the task is paused "
        "before a step that changes something if its page has changed: a person takes the step on "
        "the live page, and resumes the task.",
        option="--scripts-unattended",
    )

    def __attrs_post_init__(self) -> None:
        _warn_of_unknown_variables()
        super().__attrs_post_init__()
        for group in (self.chromium, self.agent):
            if group is not None and isinstance(self.executor, str):
                _check_executor(group, self.executor)
        if not is_postgres(self.database):
            if self.has_fleet_settings:
                raise ConfigurationError(
                    "role, lease, drain and node_url are for servers that share a database, "
                    "postgresql://…"
                )
        elif self.api_key is None:
            raise ConfigurationError(
                "servers that share a database need the same api_key, which has to be given"
            )

    @property
    def browser(self) -> ChromiumSettings:
        """The settings of the browser, which depend on who can reach the server."""
        settings = ChromiumSettings() if self.chromium is None else self.chromium
        if settings.allow_named_addresses is not None:
            return settings
        return attrs.evolve(settings, allow_named_addresses=not self.is_exposed)

    @property
    def capacity(self) -> int:
        """Tasks that one of several servers carries out at once; 0 if it carries out none."""
        if self.role == "api":
            return 0
        return self.browser.max_browsers or DEFAULT_SLOTS


def _check_executor(group: object, executor: str) -> None:
    """Refuse settings of another executor."""
    for field, each in kinds.settings_of(type(group)):
        if each.executor is None or executor in {AUTO, each.executor}:
            continue
        if getattr(group, field.name) != each.unset():
            raise ConfigurationError(
                f"{each.option or f'{type(group).__name__}.{field.name}'} is for --executor "
                f"{each.executor}"
            )


GROUPS: tuple[tuple[str, type], ...] = (
    ("executor and scripts", ServerSettings),
    ("executor and scripts", AgentSettings),
    ("browser", ChromiumSettings),
    ("address and key", ListenSettings),
    ("storage", StorageSettings),
    ("account and services", ServiceSettings),
    ("several servers with one database", FleetSettings),
)
"""All groups of settings, by the headings of help and table."""


def _warn_of_unknown_variables() -> None:
    """Say which variables look like settings of a server, and are none."""
    known = [KEY_VARIABLE]
    for _, group in GROUPS:
        known += [each.variable for _, each in kinds.settings_of(group) if each.variable]
    for name in sorted(os.environ.keys() - set(known)):
        if name.startswith(_PREFIX):
            meant = checks.closest(name, known)
            hint = f"; did you mean {meant}?" if meant else ""
            _logger.warning("%s is no variable of this server, and is not read%s", name, hint)
