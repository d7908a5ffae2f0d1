"""The operator's settings of tasks on the hosted service."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server import setting_kinds as kinds
from browser_use_async.server.setting_kinds import setting


@attrs.frozen
class CloudModel:
    """A model of the hosted service, and what is asked of it.

    Attributes:
        name: What the service calls it.
        params: Parameters by the names that the model's provider has for them, which the service
            forwards unchanged. None leaves those that the service chooses; an empty mapping
            asks for none of these.
    """

    name: str
    params: Mapping[str, Any] | None = None


_EXAMPLE = """o3=gpt-5.6 {"reasoning": {"effort": "high"}}"""
_EXECUTOR = "cloud-v4"


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
        raise ValueError(
            "a name, = and the service's model, and if need be a JSON object of its parameters, "
            f"as in {_EXAMPLE}"
        )
    return name, CloudModel(model.strip(), params) if brace else model.strip()


def _models(field: str, value: Any) -> None:
    checks.mapping(field, value)
    for name, each in value.items():
        if not isinstance(each, str):
            checks.instance(f"{field}[{name!r}]", each, CloudModel, ", nor a text")
        _check_params(each)


def _address(field: str, value: Any) -> None:
    checks.text(field, value)
    _check_address(value)


@attrs.frozen
class CloudSettings:
    """The operator's settings of tasks on the hosted service.

    docs/command-line.md has the table of its fields.
    """

    api_key: str | None = setting(
        None,
        kinds.secret(),
        "the key of the hosted service",
        more="Clients of this server never see it.",
        option="--cloud-key",
        variable="BROWSER_USE_CLOUD_KEY",
        executor=_EXECUTOR,
    )
    base_url: str = setting(
        "https://api.browser-use.com",
        kinds.Kind(unit="URL", metavar="URL", check=_address),
        "the address before /api/v4, for a proxy",
        executor=_EXECUTOR,
    )
    is_lenient: bool = setting(
        False,
        kinds.FLAG,
        "leave out settings that the service does not have",
        more="Those whose absence does no harm are named in the first step. By default the task "
        "is refused.",
        option="--cloud-lenient",
        executor=_EXECUTOR,
    )
    models: Mapping[str, str | CloudModel] = setting(
        attrs.Factory(dict),
        kinds.Kind(
            unit="model by name",
            metavar="NAME=MODEL",
            check=_models,
            parse=_model,
            gather=dict,
        ),
        "the service's model for an llm_model; * is any",
        more="Such as `gpt-4o=gpt-4.1`; it can be repeated. A JSON object of the model's "
        f"parameters may follow: `{_EXAMPLE}`. In a program that is a `CloudModel`.",
        option="--cloud-model",
        executor=_EXECUTOR,
    )
    max_cost_usd: Decimal | float | None = setting(
        None,
        kinds.amount("US dollars", "USD", above=0),
        "what the service may charge for one task",
        more="It ends a task that costs more. The service allows 25 by its documentation.",
        otherwise="what it allows",
        option="--cloud-max-cost-usd",
        executor=_EXECUTOR,
    )
    concurrency: int = setting(
        # The tasks at once that an account has on the service before it has paid anything.
        10,
        kinds.COUNT,
        "tasks at once that the account may have on the service",
        more="The allowed number of requests follows of it.",
    )
    poll_seconds: float = setting(2.0, kinds.SECONDS, "pause between two looks at a task")
    settle_seconds: float = setting(
        6.0, kinds.SECONDS, "time after which a task that was created is certain to be seen"
    )
    recording_seconds: float = setting(30.0, kinds.SECONDS, "how long a recording is waited for")
    account_seconds: float = setting(
        5.0, kinds.SECONDS, "how long what the service says of the account is not asked again"
    )

    def checked(self) -> Self:
        """The same with the key of the environment, if there is none.

        Raises:
            ConfigurationError: There is no key.
        """
        key = (kinds.or_environment(self, "api_key") or "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ConfigurationError(
                "tasks on the hosted service need its key: --cloud-key, or the environment "
                f"variable {kinds.variable(type(self), 'api_key')}"
            )
        return attrs.evolve(self, api_key=key, base_url=self.base_url.rstrip("/"))

    def model(self, assignment_model: str) -> CloudModel | None:
        """The service's model for what a task asks for, if the operator names one."""
        found = self.models.get(assignment_model, self.models.get("*"))
        return CloudModel(found) if isinstance(found, str) else found


def _check_params(model: str | CloudModel) -> None:
    if isinstance(model, str) or model.params is None:
        return
    try:
        json.dumps(dict(model.params), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"the parameters of {model.name} (--cloud-model) cannot be sent as JSON: {error}"
        raise ConfigurationError(problem) from error


def _check_address(base_url: str) -> None:
    try:
        url = URL(base_url)
        is_usable = url.scheme in {"http", "https"} and bool(url.host) and url.user is None
    except ValueError:
        url, is_usable = URL(), False
    if not is_usable:
        raise ConfigurationError(
            "the address of the hosted service is written as https://host, without a user name"
        )
    if url.scheme == "http" and not is_loopback(url.host or ""):
        raise ConfigurationError(
            "the key of the hosted service travels over https only, except on this machine"
        )
