"""What is known of the items of a batch that have begun: of those that ended, and that go on. Pure.

Memory is bounded whatever the batch's size: of each kind of task every 2^n-th item is watched. It
is chosen when it begins, so that it does not depend on how the item ends.
"""

import re
from collections.abc import Mapping

import attrs

from browser_use_async.batch.ledger.records import MAX_KEPT_TASK
from browser_use_async.batch.survival import Observed

MOST_KINDS = 32  # which are told apart; all others are one
OTHERS = "others"
_MOST_WATCHED = 2048
_LEAST_NOTED = 512
_FIRST_WORDS = 8  # have the template
_HOST = re.compile(r"[^/\s?#]+")
_BARE_HOST = re.compile(
    r"(?<![\w@])(?:[a-z0-9-]+\.)+(?!pdf|csv|txt|html|json|xlsx|docx|png|jpg)[a-z]{2,}(?!\w)",
    re.IGNORECASE,
)


def kind_of(task: str | None) -> str:
    """What a task has in common with others of its batch: its template and its site."""
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
    # The number of each, for how long it was under way, and what it cost, if it has ended
    seen: list[tuple[int, float, float | None]] = attrs.field(factory=list)


@attrs.frozen
class _UnderWay:
    """An item that has begun and not ended."""

    kind: str
    number: int | None  # which of its kind it is, or None if it was not watched from its begin
    since: float


class History:
    """The items of a batch that have begun."""

    def __init__(self, concurrency: float = 1.0) -> None:
        self.ends = 0
        self._concurrency = concurrency  # until the items under way say how many run at once
        self._kinds: dict[str, _Kind] = {}
        self._under_way: dict[int, _UnderWay] = {}  # by what the caller calls them
        self._watched = 0
        self._work = self._busy = self._counted_to = 0.0

    def begin(self, item: int, task: str | None, now: float, *, resumed: bool = False) -> None:
        """Record that an item is under way; a resumed one began at an unknown time before."""
        self._count_to(now)
        self.note(item, task, now, resumed=resumed)

    def note(self, item: int, task: str | None, since: float, *, resumed: bool = False) -> None:
        """The same of an item that began before, and whose time is counted elsewhere."""
        kind, number = self._begin(task)
        self._under_way[item] = _UnderWay(kind, None if resumed else number, since)

    def end(self, item: int, now: float, cents: float | None) -> None:
        """Record that an item is not under way any more, and what it cost; None if it goes on."""
        self._count_to(now)
        begun = self._under_way.pop(item)
        self.ends += cents is not None
        if begun.number is not None:
            self._watch(begun.kind, begun.number, now - begun.since, cents)

    def add(self, task: str | None, seconds: float, cents: float | None) -> None:
        """Record an item that was under way earlier, for so long; without a cost it went on."""
        self.ends += cents is not None
        kind, number = self._begin(task)
        self._watch(kind, number, max(seconds, 0.0), cents)

    def count_time(self, work: float, busy: float) -> None:
        """Count seconds in which any item was under way, and the seconds of all of them."""
        self._work += work
        self._busy += busy

    @property
    def at_once(self) -> float:
        """How many items are under way at once, on average while any is."""
        return self._work / self._busy if self._busy else self._concurrency

    @property
    def under_way(self) -> int:
        """How many items are."""
        return len(self._under_way)

    def shares(self) -> Mapping[str, float]:
        """The share of each kind in the items that have begun."""
        begun = sum(kind.begun for kind in self._kinds.values())
        return {name: kind.begun / begun for name, kind in self._kinds.items()}

    def name_of(self, kind: str) -> str:
        """What a kind is counted as."""
        known = kind in self._kinds or len(self._kinds) < MOST_KINDS - 1
        return kind if known else OTHERS

    def observed(self, now: float) -> dict[str, list[Observed]]:
        """Those that are watched, by kind."""
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
        """The ages of those that go on, by kind."""
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
    """The kinds of the tasks of an input, of which each `step`-th is noted from a place on."""

    def __init__(self, first: int = 0, step: int = 1) -> None:
        self._first, self._step = first, step
        self._names: dict[str, int] = {}
        self._codes = bytearray()

    def add(self, task: str | None) -> None:
        """Note the next one."""
        kind = kind_of(task)
        if kind not in self._names and len(self._names) >= MOST_KINDS - 1:
            kind = OTHERS
        self._codes.append(self._names.setdefault(kind, len(self._names)))

    def is_coarse(self, place: int, length: int) -> bool:
        """Whether too few are noted of those that stand at a place or behind it."""
        return self._step > 1 and (length - place) // self._step < _LEAST_NOTED

    def after(self, place: int) -> dict[str, int]:
        """How many items stand at a place or behind it, by kind."""
        start = -(-max(place - self._first, 0) // self._step)
        found = {name: self._codes.count(code, start) for name, code in self._names.items()}
        return {name: count * self._step for name, count in found.items() if count}
