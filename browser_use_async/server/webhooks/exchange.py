"""The request and the answer of one attempt, shortened and without secrets."""

import codecs
import unicodedata
from collections.abc import Mapping, Sequence

from browser_use_async.server.http_client import USER_AGENT, HttpResponse
from browser_use_async.server.storage.outbox import Exchange

# The most characters of the body of an answer that are kept.
KEPT_BODY = 4096
# The most characters of the headers of an answer that are kept.
KEPT_HEADERS = 4096

# The text in place of a secret.
HIDDEN = "(hidden)"

_MARGIN = 2048  # bytes that are read beyond it
# The most bytes of a body that are read: one more than is kept shows that there is more.
READ_BODY = KEPT_BODY + _MARGIN + 1

_CREDENTIALS = {"set-cookie", "set-cookie2"}  # they open the receiver
_KEPT_CONTROLS = {"\n", "\t"}
# Characters that change the order in which text is shown.
_BIDIRECTIONAL = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def exchange_of(
    sent: Mapping[str, str], seconds: float, answer: HttpResponse | None, hidden: Sequence[str]
) -> Exchange:
    """The stored part of an attempt.

    Args:
        sent: The headers that were sent.
        seconds: How long it took.
        answer: What came back, if anything did.
        hidden: What an answer might repeat, and must not be kept: longer texts first.
    """
    milliseconds = round(seconds * 1000)
    shown = {**sent, "User-Agent": USER_AGENT}
    if answer is None:
        return Exchange(shown, milliseconds)
    read = [(name, _value(name, value, hidden)) for name, value in answer.headers.items()]
    headers = _bounded(read)
    # Secrets are replaced before the text is cut; else half of one could be at the end.
    ends = len(answer.body) < READ_BODY
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    body = _cleaned(decoder.decode(answer.body[: READ_BODY - 1], final=ends), hidden)
    is_cut = not ends or len(body) > KEPT_BODY or len(headers) < len(read)
    return Exchange(shown, milliseconds, headers, body[:KEPT_BODY], is_cut)


def _value(name: str, value: str, hidden: Sequence[str]) -> str:
    return HIDDEN if name.lower() in _CREDENTIALS else _cleaned(value, hidden)


def _bounded(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    kept, room = [], KEPT_HEADERS
    for name, value in headers:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept.append((name, value))
    return tuple(kept)


def _cleaned(text: str, hidden: Sequence[str]) -> str:
    """A foreign text without control characters, invisible ones and secrets."""
    lines = text.replace("\r\n", "\n")
    for each in hidden:
        lines = lines.replace(each, HIDDEN)
    return "".join("\ufffd" if _is_unseen(each) else each for each in lines)


def _is_unseen(character: str) -> bool:
    if character in _KEPT_CONTROLS:
        return False
    return character in _BIDIRECTIONAL or unicodedata.category(character) in _UNSEEN
