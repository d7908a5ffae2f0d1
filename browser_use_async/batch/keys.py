"""The submission keys of the items of a batch. Pure."""

import hashlib

from browser_use_async.api.submission_key import is_key


def submission_key(prefix: str, key: str, number: int) -> str:
    """The key on the wire of an item with a key of its own, for its task of that number.

    Two ledgers derive the same one, so it depends on nothing else.
    """
    # A task that failed has its key for good: another one for the same item needs another key.
    text = f"{prefix}{key}" if number == 1 else f"{prefix}{key} (round {number})"
    return text if is_key(text) else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
