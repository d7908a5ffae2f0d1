"""Finding the addresses that a text names."""

import re

import attrs
from yarl import URL

# Words that end like a domain name, and are file names more often than not.
_FILE_ENDINGS = frozenset(
    "bin c cc cfg cpp css csv doc docx exe gif go gz h htm html ico ini java jpeg jpg js json"
    " jsx kt log md mjs mp3 mp4 odt pdf php pl png ppt pptx py rar rb rs rst sh sql svg tar"
    " tex toml ts tsv tsx txt wav webp xls xlsx xml yaml yml zip".split()
)
_END = "(?=[,;|](?:https?://|\\s)|[\\s<>\"'`“”\u2018\u2019«»]|$)"
_WITH_SCHEME = rf"https?://\S+?{_END}"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_LOCAL = r"localhost|\d{1,3}(?:\.\d{1,3}){3}"
_DOMAIN = rf"(?:{_LABEL}\.)+(?P<ending>[^\W\d_]{{2,24}})"
_BARE = (
    rf"(?<![\w@./\\:-])(?P<host>{_LOCAL}|{_DOMAIN})(?P<port>:\d{{1,5}})?"
    rf"(?![\w@-])(?P<path>[/?#]\S*?{_END})?"
)
_ADDRESS = re.compile(f"(?P<full>{_WITH_SCHEME})|{_BARE}", re.IGNORECASE)
_OPENS = re.compile(
    r"\b(?:open|visit|browse|browse to|go to|goto|navigate to|load|read|on|at|from|of)"
    r"\s+(?:the\s+)?(?:(?:web)?site|(?:web|home)?\s?page|url|address)?\s*[\"'(“]?$",
    re.IGNORECASE,
)
_LOOK_BACK = 60
_LONGEST_ADDRESS = 8_000  # longer ones are taken by no server
_PUNCTUATION = frozenset(".,;:!?'\"*…|>、。」")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}", re.IGNORECASE)


@attrs.frozen
class Mention:
    """An address in a text."""

    start: int  # where it begins in the text
    end: int  # where it ends
    url: str  # the address with a scheme


def find_addresses(text: str) -> list[Mention]:
    """The http and https addresses in a text, in order.

    `https://shop.example/x` counts, `shop.example/x` as well (as https, or http on this machine),
    and `shop.example` alone where the words before it say that it is to be opened. `e.g.`,
    `prices.csv` and `me@shop.example` do not count.
    """
    mentions: list[Mention] = []
    for match in _ADDRESS.finditer(text):
        found = _trimmed(match[0])
        scheme = ""
        if not match["full"]:
            if not _counts(match, text):
                continue
            scheme = "http://" if _LOOPBACK.fullmatch(match["host"]) else "https://"
        mentions.append(Mention(match.start(), match.start() + len(found), scheme + found))
    return mentions


def absolute(base: URL, address: str) -> str:
    """Where a link leads, or the empty string unless that is an http or https address."""
    if len(address) > _LONGEST_ADDRESS:
        return ""
    try:
        target = base.join(URL(address.strip()))
    except ValueError:
        return ""
    return str(target) if target.scheme in {"http", "https"} and target.host else ""


def _counts(match: re.Match[str], text: str) -> bool:
    if match["port"] or _trimmed(match["path"] or ""):
        return True
    ending = (match["ending"] or "").lower()
    if ending in _FILE_ENDINGS:
        return False
    before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
    return match["host"].lower().startswith("www.") or _OPENS.search(before) is not None


def _trimmed(address: str) -> str:
    """Without the punctuation of the sentence around it."""
    # A closing bracket belongs to the address only if it was opened in there.
    surplus = {
        closing: address.count(closing) - address.count(opening)
        for opening, closing in ("()", "[]", "{}")
    }
    end = len(address)
    while end:
        last = address[end - 1]
        if last in surplus:
            if surplus[last] <= 0:
                break
            surplus[last] -= 1
        elif last not in _PUNCTUATION:
            break
        end -= 1
    return address[:end]
