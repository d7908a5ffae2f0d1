"""The times and costs of items of a batch that have begun, ended or not. No I/O.

Memory is bounded, whatever the size of the batch: of each kind of task every 2^n-th item is
watched. An item is chosen when it begins, so the choice does not depend on its end.
"""

import re
from collections.abc import Mapping

import attrs

from browser_use_async.batch.ledger.records import MAX_KEPT_TASK
from browser_use_async.batch.survival import Observed

MOST_KINDS = 32  # that are kept apart; all others are one
OTHERS = "others"
_MOST_WATCHED = 2048
_LEAST_NOTED = 512
_FIRST_WORDS = 8  # that contain the template
_HOST = re.compile(r"[^/\s?#]+")
_BARE_HOST = re.compile(
    r"(?<![\w@])(?:[a-z0-9-]+\.)+(?!pdf|csv|txt|html|json|xlsx|docx|png|jpg)[a-z]{2,}(?!\w)",
    re.IGNORECASE,
)


def kind_of(task: str | None) -> str:
    """The kind of a task: its template and its site, which other tasks of the batch share."""
    if task is None:
        return ""  # it was refused
    text = task[:MAX_KEPT_TASK]
    first, *words = text.split(None, _FIRST_WORDS)[:_FIRST_WORDS] or [""]
    # Names and numbers differ from item to item.
    template = " ".join([word for word in words if word.islower() and word.isalpha()])
    address = text.find("://")
    site = None
    if address >= 0:
        site = _HOST.match(text, address + 3)
    elif "." in text[:-1]:
        site = _BARE_HOST.search(text)
    if not first.isalpha():
        first = ""  # an address, for example
    return f"{first} {template} @{'' if site is None else site[0].lower()}"


@attrs.define
class _Kind:
    """One kind of task."""

    begun: int = 0  # how many items of it have begun
    step: int = 1  # each such one is watched
    # For each its number, how long it was under way, and its cost if it has ended
    seen: list[tuple[int, float, float | None]] = attrs.field(factory=list)


@attrs.frozen
class _UnderWay:
    """An item that has begun and not ended."""

    kind: str
    number: int | None  # its number in its kind, or None if it was not watched from its beginning
    since: float


class History:
    """The items of a batch that have begun."""

    def __init__(self, concurrency: float = 1.0) -> None:
        self.ends = 0
        self._concurrency = concurrency  # until the items under way say how many run at once
        self._kinds: dict[str, _Kind] = {}
        self._under_way: dict[int, _UnderWay] = {}  # by the caller's numbers
        self._watched = 0
        self._work = self._busy = self._counted_to = 0.0

    def begin(self, item: int, task: str | None, now: float, *, resumed: bool = False) -> None:
        """Record that an item is under way; a resumed one began earlier, at an unknown time."""
        self._count_to(now)
        self.note(item, task, now, resumed=resumed)

    def note(self, item: int, task: str | None, since: float, *, resumed: bool = False) -> None:
        """Record an item that began before, and whose time is counted elsewhere."""
        kind, number = self._begin(task)
        self._under_way[item] = _UnderWay(kind, None if resumed else number, since)

    def end(self, item: int, now: float, cents: float | None) -> None:
        """Record that an item is no longer under way, and its cost; None if it goes on."""
        self._count_to(now)
        begun = self._under_way.pop(item)
        self.ends += cents is not None
        if begun.number is not None:
            self._watch(begun.kind, begun.number, now - begun.since, cents)

    def add(self, task: str | None, seconds: float, cents: float | None) -> None:
        """Record an item that was under way earlier; without a cost it went on."""
        self.ends += cents is not None
        kind, number = self._begin(task)
        self._watch(kind, number, max(seconds, 0.0), cents)

    def count_time(self, work: float, busy: float) -> None:
        """Count seconds in which any item was under way, and the seconds of all of them."""
        self._work += work
        self._busy += busy

    @property
    def at_once(self) -> float:
        """How many items are under way at once, on average over the times with any."""
        return self._work / self._busy if self._busy else self._concurrency

    @property
    def under_way(self) -> int:
        """How many items are under way."""
        return len(self._under_way)

    def shares(self) -> Mapping[str, float]:
        """The share of each kind among the items that have begun."""
        begun = sum(kind.begun for kind in self._kinds.values())
        return {name: kind.begun / begun for name, kind in self._kinds.items()}

    def name_of(self, kind: str) -> str:
        """The name under which a kind is counted."""
        known = kind in self._kinds or len(self._kinds) < MOST_KINDS - 1
        return kind if known else OTHERS

    def observed(self, now: float) -> dict[str, list[Observed]]:
        """The watched items, by kind."""
        found = {
            name: [Observed(seconds, cents, kind.step) for _number, seconds, cents in kind.seen]
            for name, kind in self._kinds.items()
        }
        for item in self._under_way.values():
            step = self._kinds[item.kind].step
            if item.number is not None and item.number % step == 0:
                found[item.kind].append(Observed(now - item.since, None, step))
        return {name: observed for name, observed in found.items() if observed}

    def ages(self, now: float) -> dict[str, list[float]]:
        """The ages of the items under way, by kind."""
        found: dict[str, list[float]] = {}
        for item in self._under_way.values():
            found.setdefault(item.kind, []).append(now - item.since)
        return found

    def _count_to(self, now: float) -> None:
        if self._under_way:
            passed = now - self._counted_to
            self.count_time(passed * len(self._under_way), passed)
        self._counted_to = now

    def _begin(self, task: str | None) -> tuple[str, int]:
        name = self.name_of(kind_of(task))
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = _Kind()
        kind.begun += 1
        return name, kind.begun - 1

    def _watch(self, name: str, number: int, seconds: float, cents: float | None) -> None:
        kind = self._kinds[name]
        if number % kind.step:
            return
        kind.seen.append((number, seconds, cents))
        self._watched += 1
        if self._watched > _MOST_WATCHED:
            self._thin_out()

    def _thin_out(self) -> None:
        """Watch half as many of the kind that has the most."""
        kind = max(self._kinds.values(), key=lambda each: len(each.seen))
        kind.step *= 2
        kept = [each for each in kind.seen if each[0] % kind.step == 0]
        self._watched -= len(kind.seen) - len(kept)
        kind.seen = kept


class InputKinds:
    """The kinds of the tasks of an input; each `step`-th is recorded, from a place on."""

    def __init__(self, first: int = 0, step: int = 1) -> None:
        self._first, self._step = first, step
        self._names: dict[str, int] = {}
        self._codes = bytearray()

    def add(self, task: str | None) -> None:
        """Record the next one."""
        kind = kind_of(task)
        if kind not in self._names and len(self._names) >= MOST_KINDS - 1:
            kind = OTHERS
        self._codes.append(self._names.setdefault(kind, len(self._names)))

    def is_coarse(self, place: int, length: int) -> bool:
        """Whether too few of the items from a place on are recorded."""
        return self._step > 1 and (length - place) // self._step < _LEAST_NOTED

    def after(self, place: int) -> dict[str, int]:
        """How many items there are from a place on, by kind."""
        start = -(-max(place - self._first, 0) // self._step)
        found = {name: self._codes.count(code, start) for name, code in self._names.items()}
        return {name: count * self._step for name, count in found.items() if count}
