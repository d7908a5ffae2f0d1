"""The submission keys of the items of a batch. No I/O."""

import hashlib
import re

from browser_use_async.api.submission_key import is_key

# The form of keys that this module makes: an item whose own key looks like this is another one.
_MADE_HERE = re.compile(r"\Asha256:|\(round \d+\)\Z")


def submission_key(prefix: str, key: str, number: int) -> str:
    """The submission key of an item with its own key, for its task of that number.

    Two ledgers derive the same key, so it depends on nothing else.
    """
    text = f"{prefix}{key}"
    if number == 1:
        return text if is_key(text) and not _MADE_HERE.search(text) else _digest(text)
    # A failed task keeps its key: a second task of the same item needs another key.
    of_round = f"{text} (round {number})"
    return of_round if is_key(of_round) else _digest(f"{number} {text}")


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
