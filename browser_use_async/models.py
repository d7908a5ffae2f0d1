"""The former path of `browser_use_async.types`: programs that import from it go on working."""

from typing import TYPE_CHECKING

from browser_use_async import events, types

if TYPE_CHECKING:
    from browser_use_async.events import *  # noqa: F403
    from browser_use_async.types import *  # noqa: F403


def __getattr__(name: str) -> object:
    if name == "__all__":  # for `from browser_use_async.models import *`
        return [*events.__all__, *types.__all__]
    return getattr(events if name in events.__all__ else types, name)
