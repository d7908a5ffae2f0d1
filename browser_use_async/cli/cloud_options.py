"""Options of `serve` for tasks that the hosted service carries out."""

import argparse
import json
from decimal import Decimal, InvalidOperation

import click

from browser_use_async.cli.option_collector import OptionCollector
from browser_use_async.cli.values import secret_from_file, whole
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import CloudModel, CloudSettings

DEFAULT_BASE_URL, DEFAULT_CONCURRENCY = CloudSettings().base_url, CloudSettings().concurrency
KEY_VARIABLE = "BROWSER_USE_CLOUD_KEY"

CLOUD_EXECUTOR = "cloud-v4"

_OPTIONS = (
    "key_file",
    "base_url",
    "lenient",
    "models",
    "max_cost_usd",
    "concurrency",
)
_EXAMPLE = """o3=gpt-5.6 {"reasoning": {"effort": "high"}}"""


def add_cloud_options(parser: OptionCollector) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "hosted service",
        f"How the executor cloud-v4 works. The key is read from {KEY_VARIABLE}.",
    )
    group.add_argument(
        "--cloud-key-file",
        metavar="FILE",
        help=f"a file that holds the key of the hosted service and no more, instead of "
        f"{KEY_VARIABLE}",
    )
    group.add_argument(
        "--cloud-base-url",
        metavar="URL",
        help=f"the address before /api/v4, for a proxy or a test (default: {DEFAULT_BASE_URL})",
    )
    group.add_argument(
        "--cloud-lenient",
        action="store_true",
        help="leave out settings that the service cannot follow and whose absence does no harm, "
        "and name them in the first step (default: refuse the task)",
    )
    group.add_argument(
        "--cloud-model",
        dest="cloud_models",
        action="append",
        default=[],
        type=_model,
        metavar="NAME=MODEL",
        help="the service's model for what a task asks for in llm_model, such as "
        "gpt-4o=gpt-4.1; * is any other name; can be repeated. A JSON object of the "
        f"model's parameters may follow: '{_EXAMPLE}'",
    )
    group.add_argument(
        "--cloud-max-cost-usd",
        type=_dollars,
        metavar="USD",
        help="US dollars that the service may charge for one task before it ends it "
        "(default: what the service allows, 25 as it says)",
    )
    group.add_argument(
        "--cloud-concurrency",
        type=whole(1),
        metavar="N",
        help="how many tasks at once the account may have there, of which the allowed number of "
        f"requests follows (default: {DEFAULT_CONCURRENCY})",
    )


def cloud_settings(options: argparse.Namespace) -> CloudSettings | None:
    """The settings that the options give, or None for another executor.

    Raises:
        ConfigurationError: They are for an executor that is not asked for, or the key cannot be
            read.
    """
    if options.executor != CLOUD_EXECUTOR:
        for name in _OPTIONS:
            if getattr(options, f"cloud_{name}"):
                flag = f"--cloud-{name.replace('_', '-').removesuffix('s')}"
                raise ConfigurationError(f"{flag} is for --executor cloud-v4")
        return None
    file: str | None = options.cloud_key_file
    return CloudSettings(
        api_key=None if file is None else secret_from_file(file, "--cloud-key-file"),
        base_url=options.cloud_base_url or DEFAULT_BASE_URL,
        is_lenient=options.cloud_lenient,
        models=dict(options.cloud_models),
        max_cost_usd=options.cloud_max_cost_usd,
        concurrency=options.cloud_concurrency or DEFAULT_CONCURRENCY,
    )


def _model(argument: str) -> tuple[str, str | CloudModel]:
    name, separator, rest = argument.partition("=")
    model, brace, text = rest.partition("{")
    params = None
    if brace:
        try:
            params = json.loads(brace + text)
        except (ValueError, RecursionError):
            model = ""
    if not separator or not name or len(model.split()) != 1:
        raise click.BadParameter(
            "a name, = and the service's model, and if need be a JSON object of its parameters, "
            f"as in {_EXAMPLE}"
        )
    return name, CloudModel(model.strip(), params) if brace else model.strip()


def _dollars(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise click.BadParameter(f"must be a number of US dollars greater than 0, not {text!r}")
    return value
