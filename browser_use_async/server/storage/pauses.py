"""The pauses of a task, in one text of its row: `p` or `r`, the moment, and a blank for each.

Text can be added to in both databases, which do not count seconds alike.
"""

from datetime import datetime

_MOST = 8000  # characters: about 140 pauses; further ones are not written
_PAUSE, _RESUME = "p", "r"


def noting(is_pause: bool) -> str:
    """In SQL, the change of a row whose task is paused, or goes on, at `:now`."""
    mark, most = (_PAUSE, _MOST) if is_pause else (_RESUME, _MOST + 100)
    added = f"pauses || '{mark}' || :now || ' '"
    return f", pauses = CASE WHEN LENGTH(pauses) < {most} THEN {added} ELSE pauses END"


def paused_seconds(pauses: str, until: datetime) -> float:
    """How long a task was paused until a moment: that of its end, or now."""
    seconds, since = 0.0, None
    for each in pauses.split():
        moment = datetime.fromisoformat(each[1:])
        if each[0] == _PAUSE:
            since = since or moment
        elif since is not None:
            seconds += (moment - since).total_seconds()
            since = None
    if since is not None:
        seconds += (until - since).total_seconds()
    return max(0.0, seconds)
