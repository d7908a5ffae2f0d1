"""The submission keys of the items of a batch. Pure."""

import hashlib
import re

from browser_use_async.api.submission_key import is_key

# What this module itself makes of keys: an item whose own key looks like it is another one.
_MADE_HERE = re.compile(r"\Asha256:|\(round \d+\)\Z")


def submission_key(prefix: str, key: str, number: int) -> str:
    """The key on the wire of an item with a key of its own, for its task of that number.

    Two ledgers derive the same one, so it depends on nothing else.
    """
    text = f"{prefix}{key}"
    if number == 1:
        return text if is_key(text) and not _MADE_HERE.search(text) else _digest(text)
    # A task that failed has its key for good: another one for the same item needs another key.
    of_round = f"{text} (round {number})"
    return of_round if is_key(of_round) else _digest(f"{number} {text}")


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
