"""The key that names a piece of work on the wire, for both sides. Pure."""

import contextlib
import hashlib
import hmac
import re
from urllib.parse import quote_from_bytes, unquote_to_bytes

from browser_use_async.errors import InvalidRequestError

KEY_HEADER = "Idempotency-Key"
"""Sent with a creating call; a server that keeps keys sends it back unchanged."""

REPLAYED_HEADER = "Idempotency-Replayed"
"""Sent with the answer of an earlier call with the same key."""

SUPPORTED_HEADER = "Idempotency-Key-Supported"
"""Sent by a server that keeps keys, with creating calls and with the list of tasks."""

TRUE = "?1"
"""A true value in a structured header field (RFC 9651)."""

CONFLICT_TYPE = "idempotency_key_conflict"
"""The type of the problem, in the answer 422, of a key that names another request."""

MAX_KEY_LENGTH = 255
KEY_RULE = f"a text of 1 to {MAX_KEY_LENGTH} printable characters"

# Not a secret: it only keeps marks of keys apart from other digests of the same text.
_MARKS = b"browser-use-async submission key"
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_DISPLAY_STRING = re.compile(r'%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"')
_BARE = re.compile(r"[!#$&-~][!#-~]*")
# What stands for itself in a display string: printable ASCII without its two special characters.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '%"')


def is_key(value: object) -> bool:
    """Whether something is a submission key: see `KEY_RULE`."""
    return isinstance(value, str) and 0 < len(value) <= MAX_KEY_LENGTH and value.isprintable()


def check_key(value: object, field: str = "key") -> str:
    """The key itself.

    Raises:
        InvalidRequestError: It is none.
    """
    if isinstance(value, str) and is_key(value):
        return value
    # Not shown: an unprintable text would garble the message, and a long one would fill it.
    problem = f"not {type(value).__name__}"
    if isinstance(value, str):
        problem = "and some of these are not"
        if value.isprintable():
            problem = f"and this one has {len(value)}"
    message = f"{field} must be {KEY_RULE}, {problem}; nothing was sent"
    raise InvalidRequestError(message, field=field)


def format_key(key: str) -> str:
    """The header's value: a string of RFC 9651, or a display string if the key is not ASCII."""
    if key.isascii():
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    quoted = quote_from_bytes(key.encode(), safe=_PLAIN)
    # In lower case, as the format wants it, and nothing else of the text.
    return f'%"{re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)}"'


def parse_key(value: str) -> str:
    """The key in a header's value; without quotes the value is the key.

    Raises:
        ValueError: It is no key.
    """
    key = ""
    if found := _STRING.fullmatch(value):
        key = re.sub(r"\\(.)", r"\1", found[1])
    elif found := _DISPLAY_STRING.fullmatch(value):
        with contextlib.suppress(UnicodeDecodeError):
            key = unquote_to_bytes(found[1]).decode()
    elif _BARE.fullmatch(value):
        key = value
    if not is_key(key):
        raise ValueError(f"{KEY_HEADER} must be {KEY_RULE}, in quotes")
    return key


def are_same(echo: str, sent: str) -> bool:
    """Whether a header that came back has the key that was sent, however it is written."""
    if echo == sent:
        return True
    with contextlib.suppress(ValueError):
        return parse_key(echo) == parse_key(sent)
    return False


def mark_of_key(key: str) -> str:
    """The mark of a task with this key, by which servers without keys are searched."""
    return hmac.digest(_MARKS, key.encode(), hashlib.sha256).hex()[:32]
