"""Conversions of texts of a page to values of an answer, learnt from pairs of both."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import attrs

Value = str | int | float | bool | None
"""A value of an answer that has no parts."""

_NOTHING = frozenset({"", "-", "–", "—", "n/a", "none"})  # noqa: RUF001 - as pages write it
_YES_AND_NO: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "true", "on", "✓"), True),
    **dict.fromkeys(("no", "false", "off", "✗"), False),
}
_DATE = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d|\d\d[./]\d\d[./]\d{4}|\d{1,2} [A-Z][a-z]+ \d{4}"
    r"|[A-Z][a-z]+ \d{1,2}, \d{4}"
)
_DATES = (
    "%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y", "%d/%m/%Y",
    "%m/%d/%Y", "%Y/%m/%d",
)  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.,-])-?\d[\d.,\u202f\u00a0' ]*\d|(?<![\w.,-])-?\d")
_STYLES = {
    "1,250.5": (",", "."),
    "1.250,5": (".", ","),
    "1 250,5": (" ", ","),
    "1'250.5": ("'", "."),
}


class ValueKind(StrEnum):
    """Kinds of values."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    SLUG = "slug"  # "In stock" as in_stock


@attrs.frozen
class Conversion:
    """The conversion of the texts of one place."""

    kind: ValueKind
    # All ways that fitted so far; where they differ for a text, nothing is known of its value.
    ways: tuple[str, ...]
    may_be_nothing: bool = False  # whether a dash or the like stands for null

    def values(self, text: str) -> set[Value]:
        """The possible values of a text: one, if all ways agree."""
        if self.may_be_nothing and text.strip().casefold() in _NOTHING:
            return {None}
        ways = _readings(text, self.kind)
        return {value for way, value in ways.items() if way in self.ways}


def conversion_of(texts: Sequence[str], values: Sequence[Value]) -> Conversion | None:
    """Learn the conversion of texts to values, one by one; None if there is none."""
    pairs = list(zip(texts, values, strict=True))
    known = [(text, value) for text, value in pairs if value is not None]
    nothing = [text for text, value in pairs if value is None]
    if not known or any(text.strip().casefold() not in _NOTHING for text in nothing):
        return None
    for kind in _kinds_of([value for _, value in known]):
        ways: set[str] | None = None
        for text, value in known:
            fitting = {way for way, read in _readings(text, kind).items() if _same(read, value)}
            ways = fitting if ways is None else ways & fitting
        if ways:
            return Conversion(kind, tuple(sorted(ways)), bool(nothing))
    return None


def span_of(text: str, value: Value) -> tuple[int, int] | None:
    """The only place at which a value stands in a longer text; not at its beginning."""
    if isinstance(value, str):
        spans = [match.span() for match in re.finditer(re.escape(value), text)] if value else []
    else:
        spans = [match.span() for match in _NUMBER.finditer(text)]
    found = [span for span in spans if conversion_of([text[slice(*span)]], [value]) is not None]
    return found[0] if len(found) == 1 and text[: found[0][0]].strip() else None


def _same(one: Value, other: Value) -> bool:
    """Whether two values are one; True is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _kinds_of(values: Sequence[Value]) -> list[ValueKind]:
    """The kinds as which texts may be read, to become these values."""
    kinds = [ValueKind.TEXT] if all(isinstance(each, str) for each in values) else []
    for value in values:
        if isinstance(value, bool):
            kinds.append(ValueKind.BOOLEAN)
        elif isinstance(value, int | float):
            is_whole = all(isinstance(each, int) for each in values)
            kinds.append(ValueKind.INTEGER if is_whole else ValueKind.NUMBER)
        elif value is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            kinds.append(ValueKind.DATE)
        elif value is not None and re.fullmatch("[a-z]+(_[a-z]+)*", value):
            kinds.append(ValueKind.SLUG)
    return list(dict.fromkeys(kinds))


def _readings(text: str, kind: ValueKind) -> dict[str, Value]:
    """All ways to read a text, each with its value."""
    match kind:
        case ValueKind.TEXT:
            return {"as written": text}
        case ValueKind.BOOLEAN:
            said = _YES_AND_NO.get(text.strip().casefold())
            return {} if said is None else {"yes or no": said}
        case ValueKind.SLUG:
            return {"words": re.sub(r"\W+", "_", text.casefold()).strip("_")}
        case ValueKind.DATE:
            return {**_dates(text)}
        case ValueKind.INTEGER | ValueKind.NUMBER:
            return {**_numbers(text, is_whole=kind is ValueKind.INTEGER)}


def _numbers(text: str, *, is_whole: bool) -> dict[str, int | float]:
    written = _NUMBER.findall(text)
    if len(written) != 1:
        return {}
    token, found = re.sub("[\u202f\u00a0]", " ", written[0]), dict[str, int | float]()
    for style, (group, point) in _STYLES.items():
        groups, fraction = re.escape(group), rf"({re.escape(point)}\d+)?"
        if re.fullmatch(rf"-?(\d{{1,3}}({groups}\d{{3}})+|\d+){fraction}", token):
            number = float(token.replace(group, "").replace(point, "."))
            if not is_whole:
                found[style] = number
            elif number.is_integer():
                found[style] = int(number)
    return found


def _dates(text: str) -> dict[str, str]:
    written, found = _DATE.findall(text), dict[str, str]()
    for form in _DATES if len(written) == 1 else ():
        try:
            found[form] = datetime.strptime(written[0], form).date().isoformat()  # noqa: DTZ007
        except ValueError:
            continue
    return found
