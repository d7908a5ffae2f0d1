"""What the agent shall do and how: the part that run-task and schedules share."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Unset, Value, ruled
from browser_use_async.types.enums import LlmModel, ProxyCountry
from browser_use_async.types.secrets import SecretMapping

_FLAG = FieldRule(FieldKind.BOOLEAN)
_FALSE = FieldRule(FieldKind.BOOLEAN, default=False)
_TRUE = FieldRule(FieldKind.BOOLEAN, default=True)
_PIXELS = FieldRule(FieldKind.INTEGER, minimum=1)
_TEXT_LIST = FieldRule(FieldKind.TEXT_LIST)
METADATA_RULE = FieldRule(FieldKind.TEXT_MAP, max_pairs=10, max_key_length=100, max_length=1000)


def _masked(secrets: Mapping[str, str] | Unset | None) -> Mapping[str, str] | Unset | None:
    """Wrap well-formed secrets; what is not well formed is left for validation to refuse."""
    return SecretMapping(secrets) if isinstance(secrets, Mapping) else secrets


def _shown_secrets(secrets: object) -> str:
    well_formed = secrets is None or isinstance(secrets, SecretMapping | Unset)
    return repr(secrets) if well_formed else "***"


class RunTaskFields(TypedDict, total=False):
    """The optional fields of run-task, as keyword arguments. `TaskSettings` explains them."""

    secrets: Mapping[str, str] | None
    allowed_domains: Sequence[str] | None
    browser_profile_id: str | None
    save_browser_data: bool | None
    structured_output_json: str | None
    llm_model: LlmModel | str | None
    use_adblock: bool | None
    use_proxy: bool | None
    proxy_country_code: ProxyCountry | str | None
    highlight_elements: bool | None
    included_file_names: Sequence[str] | None
    browser_viewport_width: int | None
    browser_viewport_height: int | None
    max_agent_steps: int | None
    enable_public_share: bool | None
    metadata: Mapping[str, str] | None


@attrs.frozen(eq=False, repr=False)
class TaskSettings(Value):
    """What the agent shall do and how. A field that is not given is not sent.

    Attributes:
        task: What the agent should do.
        secrets: Names and values that the agent may type but never sees; combine them with
            `allowed_domains`.
        allowed_domains: Domains that the agent may visit, `*.example.com` for any subdomain.
        browser_profile_id: The browser profile to use; otherwise the default one.
        save_browser_data: Whether cookies and other browser data are kept.
        structured_output_json: A JSON schema, as a string, that the output shall follow.
        llm_model: The language model; the service's default is gpt-4.1.
        use_adblock: Whether advertisements are blocked.
        use_proxy: Whether a mobile proxy is used; solving captchas needs it.
        proxy_country_code: The country of the proxy, in either case.
        highlight_elements: Whether the agent highlights elements on the page.
        included_file_names: Names of uploaded files that the agent may read.
        browser_viewport_width: Width of the page in pixels.
        browser_viewport_height: Height of the page in pixels.
        max_agent_steps: How many steps the agent may take: 1 to 200, by default 75.
        enable_public_share: Whether a link that needs no key is made.
        metadata: Up to 10 pairs of your own: keys of 1 to 100 characters, values up to 1000.
    """

    task: str = ruled(FieldRule(FieldKind.TEXT, required=True, nullable=False, min_length=1))
    secrets: Mapping[str, str] | Unset | None = ruled(
        FieldRule(FieldKind.TEXT_MAP), converter=_masked, shown=_shown_secrets
    )
    allowed_domains: Sequence[str] | Unset | None = ruled(_TEXT_LIST)
    browser_profile_id: str | Unset | None = ruled(FieldRule(FieldKind.TEXT, blank_is_null=True))
    save_browser_data: bool | Unset | None = ruled(_FALSE)
    structured_output_json: str | Unset | None = ruled(
        FieldRule(FieldKind.JSON_SCHEMA, blank_is_null=True)
    )
    llm_model: LlmModel | str | Unset | None = ruled(FieldRule(FieldKind.TEXT, enum=LlmModel))
    use_adblock: bool | Unset | None = ruled(_FLAG)
    use_proxy: bool | Unset | None = ruled(_FLAG)
    proxy_country_code: ProxyCountry | str | Unset | None = ruled(
        FieldRule(FieldKind.TEXT, enum=ProxyCountry, lower_case=True)
    )
    highlight_elements: bool | Unset | None = ruled(_TRUE)
    included_file_names: Sequence[str] | Unset | None = ruled(_TEXT_LIST)
    browser_viewport_width: int | Unset | None = ruled(_PIXELS)
    browser_viewport_height: int | Unset | None = ruled(_PIXELS)
    max_agent_steps: int | Unset | None = ruled(
        FieldRule(FieldKind.INTEGER, minimum=1, maximum=200, default=75)
    )
    enable_public_share: bool | Unset | None = ruled(_FALSE)
    metadata: Mapping[str, str] | Unset | None = ruled(METADATA_RULE)


class RunTaskRequest(TaskSettings):
    """The body of run-task, whose fields are those of `TaskSettings`. API page: Run Task."""

    __slots__ = ()
