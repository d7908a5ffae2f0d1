"""The places of an answer's values: learned from the pages of one run, read in the next.

A value that is read again is one that stands on the page now. What cannot be found, or could be
either of two values, is refused and never taken from the run before.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from browser_use_async.server.executors.scripts import page_tree
from browser_use_async.server.executors.scripts.conversions import (
    Conversion,
    Value,
    conversion_of,
    span_of,
)

_ROW_TAGS = frozenset({"tr", "li", "article", "section", "div", "option"})
_MOST_CHECKED = 200  # places of one value that are tried
_SHORTEST_WORD = 3
_STEM = 5  # letters by which two words are one


class ValueNotFoundError(Exception):
    """A value of an answer is not at its place. The text is a clause for a person."""


@attrs.frozen
class Reading:
    """A place, and the conversion of its text."""

    place: page_tree.Place
    conversion: Conversion
    is_named: bool = False  # whether the place has the name of the field


@attrs.frozen
class ValueRule:
    """The places of one value of an answer. All existing readings must agree."""

    field: str  # the path in the answer, such as `company.city`; empty for the answer itself
    shown: str  # the name of the pages that have it
    readings: tuple[Reading, ...]


@attrs.frozen
class ListRule:
    """The places of the rows of a list, and of the values of a row."""

    field: str
    shown: tuple[str, ...]  # the names of the pages, in the order of the rows
    rows: page_tree.RowKind
    # By name, the empty one for rows that are values themselves
    columns: Mapping[str, tuple[Reading, ...]]


Rule = ValueRule | ListRule
Pages = Mapping[str, Sequence[page_tree.PageNode]]
"""The pages of a run by the step before which they were seen, several for a step that repeats."""


@attrs.frozen
class Learnt:
    """The learned places of an answer."""

    rules: tuple[Rule, ...]
    unplaced: tuple[str, ...]  # the fields whose values are on no page


def learn(answer: Any, pages: Pages) -> Learnt:
    """Find the places of the values of an answer.

    Args:
        answer: The answer, as JSON.
        pages: The pages of the run, the last one last.
    """
    rules, unplaced = list[Rule](), list[str]()
    values = dict(fields_of(answer))
    for field, value in values.items():
        rule: Rule | None = None
        if isinstance(value, list):
            rule = _list_rule(field, value, pages)
        elif not isinstance(value, dict) and value is not None:
            twins = [each for each, other in values.items() if each != field and other == value]
            rule = _value_rule(field, value, twins, pages)
        if rule is None:
            unplaced.append(field)
        else:
            rules.append(rule)
    return Learnt(tuple(rules), tuple(unplaced))


def read(rules: Sequence[Rule], pages: Pages) -> Any:
    """Read the answer from the current pages.

    Raises:
        ValueNotFoundError: A value does not stand where it stood, or could be several values.
    """
    answer: Any = {}
    for rule in rules:
        value = _found(rule, pages)
        if not rule.field:
            return value
        put_field(answer, rule.field, value)
    return answer


def put_field(answer: Any, field: str, value: Any) -> None:
    """Put a value at its path in an answer."""
    *groups, name = field.split(".")
    for group in groups:
        answer = answer.setdefault(group, {})
    answer[name] = value


def fields_of(answer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of an answer by their paths; a list is one value."""
    if isinstance(answer, dict) and answer and not any("." in name for name in answer):
        for name, value in answer.items():
            yield from fields_of(value, f"{path}.{name}" if path else name)
    else:
        yield path, answer


def _found(rule: Rule, pages: Pages) -> Any:
    return _value(rule, pages) if isinstance(rule, ValueRule) else _rows(rule, pages)


def _gives(rule: Rule, value: Any, pages: Pages) -> bool:
    try:
        return bool(_found(rule, pages) == value)
    except ValueNotFoundError:
        return False


# --- one value -----------------------------------------------------------------------------------


def _value_rule(field: str, value: Value, twins: Sequence[str], pages: Pages) -> ValueRule | None:
    for shown, roots in reversed([*pages.items()]):
        readings = _readings_of(roots[-1], value, field, twins) if roots else ()
        rule = ValueRule(field, shown, readings)
        if _gives(rule, value, pages):
            return rule
    return None


def _readings_of(
    root: page_tree.PageNode, value: Value, field: str, twins: Sequence[str]
) -> tuple[Reading, ...]:
    found = dict[page_tree.Place, Conversion]()
    for node in page_tree.holding(root):
        text = node.text
        if (conversion := conversion_of([text], [value])) is not None:
            found |= dict.fromkeys(page_tree.places_of(node), conversion)
        if node.has_own_text and (span := span_of(text, value)) is not None:
            said = conversion_of([text[slice(*span)]], [value])
            if said is not None:
                before, after = text[: span[0]].strip(), text[span[1] :].strip()
                found[page_tree.Place(page_tree.PlaceKind.BETWEEN, before, after)] = said
        if len(found) > _MOST_CHECKED:
            break
    good = {
        place: conversion
        for place, conversion in found.items()
        if [conversion.values(text) for text in page_tree.texts_at(root, place)] == [{value}]
    }
    return _preferred(good, field, twins)


def _preferred(
    found: Mapping[page_tree.Place, Conversion], field: str, twins: Sequence[str]
) -> tuple[Reading, ...]:
    """Choose the places to keep, which have to agree later, too.

    One goes only where another is called exactly like the field, or where it belongs to a field
    with the same value.
    """
    name = field.rpartition(".")[2]
    kept = [place for place in found if _likeness(place, name) == 2]
    if not kept:
        kept = [
            place
            for place in found
            if _likeness(place, name) or not any(_likeness(place, twin) for twin in twins)
        ]
    return tuple(Reading(place, found[place], is_like(place, name)) for place in kept)


def is_like(place: page_tree.Place, field: str) -> bool:
    """Whether a place shares a word with the name of a field."""
    return _likeness(place, field.rpartition(".")[2]) > 0


def _likeness(place: page_tree.Place, name: str) -> int:
    """2 if a place has the name of the field, 1 if they share a word."""
    asked, said = _stems(name), _stems(place.name)
    return 2 if said == asked != frozenset() else int(bool(said & asked))


def _stems(name: str) -> frozenset[str]:
    spaced = re.sub("([a-z])([A-Z])", r"\1 \2", name).casefold()
    return frozenset(
        word[:_STEM] for word in re.findall("[a-z]+", spaced) if len(word) >= _SHORTEST_WORD
    )


def _value(rule: ValueRule, pages: Pages) -> Value:
    roots = pages.get(rule.shown, ())
    values, is_sure = set[Value](), False
    for reading in rule.readings if roots else ():
        texts = page_tree.texts_at(roots[-1], reading.place)
        if len(texts) != 1:
            continue
        values |= reading.conversion.values(texts[0])
        is_meant = (
            reading.place.kind in page_tree.NAMED - {page_tree.PlaceKind.CLASS} or reading.is_named
        )
        is_sure = is_sure or is_meant
    if len(values) != 1 or not is_sure:
        what = "could be either of several values" if len(values) > 1 else "is not where it was"
        raise ValueNotFoundError(f"{rule.field or 'the answer'} {what}")
    return values.pop()


# --- lists ---------------------------------------------------------------------------------------


def _list_rule(field: str, values: Sequence[Any], pages: Pages) -> ListRule | None:
    """One rule for all rows of a list, which reads exactly these."""
    rows = [each if isinstance(each, dict) else {"": each} for each in values]
    names = {tuple(row) for row in rows}
    if len(names) != 1 or any(
        isinstance(each, list | dict) for row in rows for each in row.values()
    ):
        return None
    for shown in _groups(pages):
        roots = [root for name in shown for root in pages[name]]
        for kind in dict.fromkeys(_kinds_of_rows(roots, rows)):
            found = [each for root in roots for each in page_tree.rows_of(root, kind)]
            if len(found) != len(rows):
                continue
            columns = {name: _columns(name, rows, found) for name in rows[0]}
            rule = ListRule(field, shown, kind, columns)
            if all(columns.values()) and _gives(rule, values, pages):
                return rule
    return None


def _groups(pages: Pages) -> Iterator[tuple[str, ...]]:
    """Groups of pages that may have a list together: one, or those of a step and of a later one."""
    names = [*pages]
    for place in reversed(range(len(names))):
        later = names[place + 1 :]
        yield (names[place],)
        yield from ((names[place], each) for each in dict.fromkeys((*later[:1], *later[-1:])))


def _kinds_of_rows(
    roots: Sequence[page_tree.PageNode], rows: Sequence[Mapping[str, Any]]
) -> Iterator[page_tree.RowKind]:
    """The possible kinds of rows: the innermost elements with all values of one row."""
    first = next((row for row in rows if None not in row.values()), rows[0])
    for root in roots:
        fitting = [
            each
            for each in root.walk()
            if each.tag in _ROW_TAGS
            and all(
                any(conversion_of([node.text], [value]) for node in each.texts())
                for value in first.values()
            )
        ]
        outer = {id(around) for each in fitting for around in each.ancestors()}
        yield from (page_tree.row_kind_of(root, each) for each in fitting if id(each) not in outer)


def _columns(
    name: str, rows: Sequence[Mapping[str, Any]], found: Sequence[page_tree.PageNode]
) -> tuple[Reading, ...]:
    values = [row[name] for row in rows]
    place_of = next((at for at, value in enumerate(values) if value is not None), None)
    if place_of is None:
        return ()
    example, value = found[place_of], values[place_of]
    options = dict.fromkeys(
        place
        for node in example.texts()
        if conversion_of([node.text], [value]) is not None
        for place in page_tree.places_in_row(example, node)
    )
    kept = dict[page_tree.Place, Conversion]()
    for place in options:
        texts = [page_tree.text_in_row(each, place) for each in found]
        said = [each for each in texts if each is not None]
        if len(said) == len(texts) and (conversion := conversion_of(said, values)) is not None:
            kept[place] = conversion
    return _preferred(kept, name, [each for each in rows[0] if each != name])


def _rows(rule: ListRule, pages: Pages) -> list[Any]:
    what = rule.field or "the answer"
    found = list[Any]()
    for root in (root for name in rule.shown for root in pages.get(name, ())):
        rows = page_tree.rows_of(root, rule.rows)
        if page_tree.lists_of(rows) > 1:
            raise ValueNotFoundError(f"{what} could be either of several lists")
        for row in rows:
            values = {name: _cell(what, name, each, row) for name, each in rule.columns.items()}
            found.append(values.get("", values) if list(values) == [""] else values)
    if not found:
        raise ValueNotFoundError(f"{what} is not where it was")
    return found


def _cell(what: str, name: str, readings: Sequence[Reading], row: page_tree.PageNode) -> Value:
    """A value of one row: all existing places agree, and one of them has a name."""
    values, kinds = set[Value](), set[page_tree.PlaceKind]()
    for reading in readings:
        text = page_tree.text_in_row(row, reading.place)
        if text is not None:
            said = reading.conversion.values(text)
            values |= said
            kinds |= {reading.place.kind} if said else set()
            if not said:
                raise ValueNotFoundError(f"{name or 'a row'} of {what} is not as it was")
    # A list of plain words has no names to go by.
    is_named = bool(kinds & page_tree.NAMED) or not (
        name or {r.place.kind for r in readings} & page_tree.NAMED
    )
    if len(values) != 1 or not is_named:
        raise ValueNotFoundError(f"{name or 'a row'} of {what} is not where it was")
    return values.pop()
