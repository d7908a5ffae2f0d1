"""Texts of pages as the numbers, dates and choices that a schema asks for."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from yarl import URL

from browser_use_async.server.html.words import words
from browser_use_async.server.web_addresses import absolute

_NUMBER = re.compile(
    r"""(?:(?P<sign>[-+\u2212])\s?)?
        (?:[A-Z]{0,3}[$€£¥₹]\s?)?
        (?<![^\W_])(?P<digits>
            \d{1,3}(?:[,.'\u2019\s]\d{3})+(?![\d,.'\u2019]?\d)
            | \d{1,3}(?:[,.'\u2019\s]\d{3})+[.,]\d+
            | \d+(?:[.,]\d+)?
        )(?P<scale>(?:[kKMB]|\s?(?:thousand|million|billion|mn|bn))\b)?""",
    re.VERBOSE,
)
_ASIDE = re.compile(r"\([^()]*\)")
_THOUSANDS = re.compile(r"\d{1,3}(?:[,'\u2019\s]\d{3})+(?:\.\d+)?")
_LONGEST_NUMBER = 60
_LONGEST_MEMBER = 1_000  # of a text that names a member of an enumeration in other words
_YES = frozenset(
    ("yes", "true", "on", "included", "available", "in stock", "\u2713", "\u2714", "\u2705", "1")
)
_NO = frozenset(
    "no|false|off|none|not included|not available|unavailable|out of stock|sold out"
    "|-|\u2013|\u2014|\u2717|\u2718|\u2715|\u274c|0".split("|")
)
_DATE_FORMATS = ("", "%d %B %Y", "%B %d, %Y", "%B %d %Y", "%d %b %Y", "%b %d, %Y", "%d.%m.%Y")
_SPEAKING_KEYS = ("name", "text", "url")  # of an object where a text is asked for


def as_string(value: Any, form: str, base: str) -> str | None:
    """A text, or None when there is none."""
    text = _text(value)
    if not text:
        return None
    if form in {"date", "date-time"}:
        return _moment(text, form)
    if form in {"uri", "url"}:
        return absolute(URL(base), text) or None
    return text


def as_number(value: Any, *, whole: bool = False) -> float | int | None:
    """The number in a text such as `$1,299.00`, or None when it has none or more than one."""
    if isinstance(value, bool):
        return None
    number = value if isinstance(value, int | float) else _parsed(_text(value))
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        return None
    if number == int(number) and (whole or isinstance(number, int)):
        return int(number)
    return None if whole else number


def as_boolean(value: Any) -> bool | None:
    """Yes or no, or None if a text is neither."""
    if isinstance(value, bool):
        return value
    said = _text(value).casefold()
    if said in _YES:
        return True
    return False if said in _NO else None


def as_member(value: Any, members: list[Any]) -> Any:
    """Find the member of an enumeration for a value, or None."""
    if value in members and not isinstance(value, bool):
        return value
    text = _text(value)
    said = words(text) if len(text) <= _LONGEST_MEMBER else ()
    for member in members:
        if isinstance(member, bool):
            fits = as_boolean(value) is member
        elif isinstance(member, int | float):
            fits = as_number(value) == member
        else:
            fits = isinstance(member, str) and (text == member or said == words(member) != ())
        if fits:
            return member
    return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return next(filter(None, (_text(value[key]) for key in _SPEAKING_KEYS if key in value)), "")
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return ""


def _parsed(text: str) -> float | int | None:
    if text.casefold() == "free":
        return 0
    if len(text) > _LONGEST_NUMBER:
        return None  # prose with a number in it
    numbers = list(_NUMBER.finditer(_ASIDE.sub(" ", text) if text[:1] != "(" else text))
    # "10-20", "4.5 of 5" and "1.2M" are not the number that they begin with.
    if len(numbers) != 1 or numbers[0]["scale"]:
        return None
    number = _digits(numbers[0]["digits"])
    return -number if numbers[0]["sign"] in {"-", "\u2212"} else number


def _digits(text: str) -> float | int:
    if _THOUSANDS.fullmatch(text):
        plain = re.sub(r"[,'\u2019\s]", "", text)
    else:
        # A comma that is not between thousands is the decimal point, and dots before it are not.
        plain = text.replace(".", "") if "," in text else text
        plain = re.sub(r"['\u2019\s]", "", plain).replace(",", ".")
        if plain.count(".") > 1:
            plain = plain.replace(".", "")
    return float(plain) if "." in plain else int(plain)


def _moment(text: str, form: str) -> str | None:
    for spelled in _DATE_FORMATS:
        try:
            # A day has no zone.
            read = datetime.strptime(text, spelled) if spelled else datetime.fromisoformat(text)  # noqa: DTZ007
        except ValueError:
            continue
        if form == "date":
            return read.date().isoformat()
        return text if "T" in text else read.isoformat()
    return None


def converted(branch: Mapping[str, Any], value: Any, base: str) -> Any:
    """A value as the branch of a schema has it; None for what does not fit."""
    found = _of_kind(branch, value, base)
    return found if found is not None and _within_bounds(branch, found) else None


def _of_kind(branch: Mapping[str, Any], value: Any, base: str) -> Any:
    if "const" in branch:
        return as_member(value, [branch["const"]])
    if "enum" in branch:
        return as_member(value, branch["enum"])
    kind = branch["type"]
    if kind == "string":
        return as_string(value, branch.get("format", ""), base)
    if kind in {"number", "integer"}:
        return as_number(value, whole=kind == "integer")
    if kind == "boolean":
        return as_boolean(value)
    return value if kind == "any" and value not in ("", []) else None


def _within_bounds(branch: Mapping[str, Any], value: Any) -> bool:
    if isinstance(value, str):
        size = len(value)
        return not (size < branch.get("minLength", size) or size > branch.get("maxLength", size))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return not (
        value < branch.get("minimum", value)
        or value > branch.get("maximum", value)
        or value <= branch.get("exclusiveMinimum", value - 1)
        or value >= branch.get("exclusiveMaximum", value + 1)
    )
