"""The shapes of responses, transcribed from the specification.

Written out here, and not taken from the classes of the SDK: those are lenient, and a mistake in
them must not hide the same mistake of a server. A shape is a type, a tuple of types, a list with
the shape of its items, or a dict with the shape of each field; `Optional` marks a field that may be
missing or null. Fields that no shape names are ignored, as clients ignore them.
"""

from datetime import datetime
from typing import Any

import attrs

Shape = Any  # a type, a tuple of types, a list, a dict, `Optional` or `Timestamp`


@attrs.frozen
class Optional:
    """A field that may be missing, or null."""

    shape: Shape


class Timestamp:
    """An ISO 8601 text."""


TASK_STATUSES = ("created", "running", "finished", "stopped", "paused", "failed")
WEBHOOK_STATUSES = ("initializing", "started", "paused", "stopped", "finished")

CREATED: Shape = {"id": str}
STEP: Shape = {
    "id": str,
    "step": int,
    "evaluation_previous_goal": str,
    "next_goal": str,
    "url": Optional(str),
}
TASK: Shape = {
    "id": str,
    "task": str,
    "output": (str, type(None)),
    "status": str,
    "created_at": Timestamp,
    "steps": [STEP],
    "live_url": Optional(str),
    "finished_at": Optional(Timestamp),
    "browser_data": Optional(dict),
    "user_uploaded_files": Optional([str]),
    "output_files": Optional([str]),
    "public_share_url": Optional(str),
    "metadata": Optional(dict),
}
TASK_ROW: Shape = {
    "id": str,
    "task": str,
    "output": (str, type(None)),
    "status": str,
    "created_at": Timestamp,
    "finished_at": Optional(Timestamp),
    "live_url": Optional(str),
    "metadata": Optional(dict),
}
_PAGE: dict[str, Shape] = {"total_pages": int, "page": int, "limit": int, "total_count": int}
TASK_PAGE: Shape = {"tasks": [TASK_ROW], **_PAGE}
SCHEDULE: Shape = {
    "id": str,
    "task": str,
    "save_browser_data": bool,
    "structured_output_json": Optional(str),
    "llm_model": str,
    "use_adblock": bool,
    "use_proxy": bool,
    "highlight_elements": bool,
    "schedule_type": str,
    "interval_minutes": Optional(int),
    "cron_expression": Optional(str),
    "start_at": Timestamp,
    "next_run_at": (Timestamp, type(None)),
    "end_at": Timestamp,
    "is_active": bool,
    "created_at": Timestamp,
    "updated_at": Timestamp,
    "metadata": Optional(dict),
}
SCHEDULE_PAGE: Shape = {"tasks": [SCHEDULE], **_PAGE}
PROFILE: Shape = {
    "profile_id": str,
    "profile_name": str,
    "description": str,
    "persist": bool,
    "ad_blocker": bool,
    "proxy": bool,
    "proxy_country_code": str,
    "browser_viewport_width": int,
    "browser_viewport_height": int,
}
PROFILE_PAGE: Shape = {"profiles": [PROFILE], **_PAGE}
RECORDINGS: Shape = {"recordings": Optional([str])}
SCREENSHOTS: Shape = {"screenshots": Optional([str])}
DOWNLOAD: Shape = {"download_url": str}
UPLOAD: Shape = {"upload_url": str}
BALANCE: Shape = {"balance": str}
SEARCH_RESULT: Shape = {"url": str, "content": str}
SEARCH_RESULTS: Shape = {"results": [SEARCH_RESULT]}
ERROR: Shape = {"detail": str}
VALIDATION_ERROR: Shape = {"detail": [{"loc": list, "msg": str, "type": str}]}
EVENT: Shape = {
    "type": str,
    "timestamp": Timestamp,
    "payload": {"session_id": str, "task_id": str, "status": str, "metadata": Optional(dict)},
}


def mismatch(value: Any, shape: Shape, path: str = "$") -> str | None:
    """Return where and how a value differs from a shape, or None if it fits."""
    if isinstance(shape, dict):
        return _object_mismatch(value, shape, path)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{path} is {_named(value)}, and a list is due"
        found = (mismatch(each, shape[0], f"{path}[{place}]") for place, each in enumerate(value))
        return next(filter(None, found), None)
    if isinstance(shape, Optional):
        return None if value is None else mismatch(value, shape.shape, path)
    kinds = shape if isinstance(shape, tuple) else (shape,)
    if any(_fits(value, kind) for kind in kinds):
        return None
    due = " or ".join("null" if kind is type(None) else kind.__name__.lower() for kind in kinds)
    return f"{path} is {_named(value)}, and {due} is due"


def _object_mismatch(value: Any, shape: dict[str, Shape], path: str) -> str | None:
    if not isinstance(value, dict):
        return f"{path} is {_named(value)}, and an object is due"
    for name, inner in shape.items():
        if name not in value:
            if isinstance(inner, Optional):
                continue
            return f"{path}.{name} is missing"
        if (problem := mismatch(value[name], inner, f"{path}.{name}")) is not None:
            return problem
    return None


def _fits(value: Any, kind: Any) -> bool:
    if kind is Timestamp:
        return isinstance(value, str) and _is_timestamp(value)
    if kind is int and isinstance(value, bool):
        return False
    return isinstance(value, kind)


def _is_timestamp(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _named(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return f"{kinds.get(type(value), 'something else')} ({value!r:.40})"
