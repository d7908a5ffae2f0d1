"""Options of `serve` that say where its data is, and which servers share it."""

import argparse
from typing import get_args

from browser_use_async.cli.option_collector import OptionCollector
from browser_use_async.cli.values import secret_from_variable, whole
from browser_use_async.server.shared_database import (
    DEFAULT_SLOTS,
    LEAST_LEASE,
    FleetSettings,
    Role,
)

DEFAULT_LEASE, DEFAULT_DRAIN = FleetSettings().lease, FleetSettings().drain


def add_database_options(parser: OptionCollector) -> None:
    """Add the database, and what this server does for those that share it."""
    database = parser.add_mutually_exclusive_group()
    database.add_argument(
        "--database",
        metavar="FILE",
        default=":memory:",
        help="where everything outlives a restart; made if it does not exist. Or postgresql://…, "
        "which several servers share (default: nowhere)",
    )
    database.add_argument(
        "--database-env",
        metavar="VARIABLE",
        help="the environment variable that holds it, such as an address with a password",
    )
    parser.add_argument(
        "--files",
        metavar="URL",
        help="object storage to which files are moved from the database, s3://bucket/prefix; "
        "credentials come from the environment variables of AWS (default: they stay there)",
    )
    group = parser.add_argument_group(
        "several servers", "What this one does of what those that share a database do."
    )
    group.add_argument(
        "--role",
        choices=get_args(Role),
        default="both",
        help="api creates tasks and runs schedules, worker carries tasks out and delivers events "
        "(default: both)",
    )
    group.add_argument(
        "--slots",
        type=whole(1),
        metavar="N",
        help=f"how many tasks it carries out at once (default: --max-browsers, or {DEFAULT_SLOTS})",
    )
    group.add_argument(
        "--lease",
        type=whole(LEAST_LEASE),
        metavar="SECONDS",
        help=f"how long a server may be silent before its tasks fail, {LEAST_LEASE} at least "
        f"(default: {DEFAULT_LEASE:g})",
    )
    group.add_argument(
        "--drain",
        type=whole(0),
        metavar="SECONDS",
        help=f"how long it waits for tasks at work before it ends (default: {DEFAULT_DRAIN:g})",
    )
    group.add_argument(
        "--node-url",
        metavar="URL",
        help="where people's browsers reach this server, so that live pages of its tasks lead to "
        "it: https://worker-1.example, or http://{hostname}:8765 for the name of this machine",
    )


def given_database(options: argparse.Namespace) -> str:
    """The file or address of the database; `:memory:` without one."""
    variable: str | None = options.database_env
    if variable is None:
        return str(options.database)
    return secret_from_variable(variable, "--database-env").strip()
