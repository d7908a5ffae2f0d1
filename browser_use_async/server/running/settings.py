"""Every setting of a task resolved: request, then profile, then the published default."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from browser_use_async.server.executors.protocol import Assignment
from browser_use_async.types import UNSET, BrowserProfile, TaskSettings

__all__ = ["resolve_settings"]

_SAME_NAME = (
    "max_agent_steps",
    "allowed_domains",
    "structured_output_json",
    "secrets",
    "metadata",
    "highlight_elements",
)


def resolve_settings(
    settings: TaskSettings,
    profile: BrowserProfile,
    default_model: str,
    cookies: Sequence[Mapping[str, Any]] = (),
) -> Assignment:
    """A new task for an executor. The other defaults are those of `Assignment`."""

    def chosen(name: str, fallback: Any) -> Any:
        value = getattr(settings, name)
        return fallback if value is UNSET or value is None else value

    given = {name: value for name in _SAME_NAME if (value := chosen(name, None)) is not None}
    return Assignment(
        task_id=str(uuid.uuid4()),
        task=settings.task,
        profile_id=profile.profile_id,
        cookies=cookies,
        llm_model=chosen("llm_model", default_model),
        use_adblock=chosen("use_adblock", profile.ad_blocker),
        use_proxy=chosen("use_proxy", profile.proxy),
        proxy_country_code=str(chosen("proxy_country_code", profile.proxy_country_code)),
        viewport=(
            chosen("browser_viewport_width", profile.browser_viewport_width),
            chosen("browser_viewport_height", profile.browser_viewport_height),
        ),
        **given,
    )
