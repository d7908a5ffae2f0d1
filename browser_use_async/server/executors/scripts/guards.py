"""The conditions of an element before a step is taken with it. No I/O."""

import attrs

from browser_use_async.server.executors.scripts.addresses import fits
from browser_use_async.server.executors.scripts.script import Description, Effect, ScriptStep

_TELLING_NOTHING = frozenset({"", "text", "submit", "button"})  # types that many elements have
_ATTRIBUTES = ("test_id", "id", "field", "placeholder", "options")


@attrs.frozen
class SeenElement:
    """The current state of an element on its page."""

    description: Description
    url: str  # of its page or frame
    is_disabled: bool = False


def problem_with(step: ScriptStep, seen: SeenElement) -> str:
    """Why a step may not be taken with an element, as a clause; empty if it may.

    A step that changes something needs all of its words and its place as they were. One that only
    reads may have another name where two other signs say that it is the same.
    """
    was, now = step.element, seen.description
    assert was is not None
    if not was.frame and step.page and not fits(seen.url, step.page):
        return f"the page is {seen.url} and not {step.page}"
    if (now.role, now.frame) != (was.role, was.frame):
        return f"it is a {now.role or now.tag} and was a {was.role or was.tag}"
    if seen.is_disabled:
        return "it is disabled"
    has_name = now.name == was.name
    has_place = (now.heading, now.form) == (was.heading, was.form)
    if step.effect is Effect.CHANGES:
        if has_name and has_place and now.item == was.item:
            return ""
        place = f" of “{now.item}”" if now.item else ""
        under = f" under “{now.heading}”" if now.heading else ""
        return f"it is “{now.name}”{place}{under} now, and the step changes something"
    if was.item and now.item != was.item:
        return f"it belongs to “{now.item}” and not to “{was.item}”"
    signs = _signs(was, now) + has_name + has_place
    return "" if signs >= (1 if has_name else 2) else f"it is called “{now.name}” now"


def _signs(was: Description, now: Description) -> int:
    """How many other properties two descriptions share."""
    pairs = ((getattr(was, name), getattr(now, name)) for name in _ATTRIBUTES)
    same: int = sum(bool(one) and one == other for one, other in pairs)
    same += was.type == now.type and was.type not in _TELLING_NOTHING
    return same + (bool(was.href) and _path(was.href) == _path(now.href))


def _path(address: str) -> str:
    return address.partition("?")[0].partition("#")[0]
