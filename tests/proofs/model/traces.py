"""The events of a run, replayed in the model, which names the first impossible one.

Events are the observable facts: a commit to the ledger, a task at the service, the end of a
process. Hidden steps, such as time, the network and reads of a process, are guessed: all
states of the model that agree with the events so far are followed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

import attrs

from tests.proofs.model.protocol import PayOnce
from tests.proofs.model.terms import ALWAYS, Terms


class What(StrEnum):
    """An event, and the words of its step in the model."""

    STARTED = "starts from the row"
    INTENT = "commits the intent"  # once it is durable
    SENT = "sends run-task"  # where no intent is seen
    NOT_CREATED = "is refused (429)"  # the ledger says that a request has created nothing
    MADE = "run-task makes a task"
    SUBMITTED = "records the task"
    ENDED = "records the end"
    LEFT_UNKNOWN = "leaves it unknown"  # until the next run
    KILLED = "is killed"
    BEGAN = "begins"  # the next run


# What is not recorded
_UNSEEN = (
    *("time passes", "the task ends", "nobody hears of it", "run-task is lost", "is replayed"),
    *("gets no answer", "hears that keys", "hears nothing of keys", "finds the task"),
    *("finds nothing and sends it again", "sees the end", "run 0: ends"),
)
_TOLERANCE = 0.001  # seconds

ONE_PROCESS = Terms(
    items=1,
    concurrency=1,
    lag=1,
    sends=15,
    kills=ALWAYS,
    losses=ALWAYS,
    refusals=ALWAYS,
)
"""A process that is killed again and again, and loses any number of requests and answers."""


WITHOUT_LEDGER = attrs.evolve(ONE_PROCESS, writes_intent=False)
"""A single call: its events are requests, and the result of its caller."""

WITH_KEYS = attrs.evolve(WITHOUT_LEDGER, has_keys=True, writes_whether_keyed=False)
"""The same where the server keeps submission keys."""


@attrs.frozen(kw_only=True)
class Event:
    """An observed event of an item."""

    at: float  # seconds, by one clock for all
    what: What
    row: str | None = None  # what the run has read

    def __str__(self) -> str:
        return f"{self.what.name} at {self.at:.3f} s" + (f", row {self.row}" if self.row else "")


@attrs.define
class Traces:
    """The events of all items, in the order in which they became true."""

    _events: dict[str, list[Event]] = attrs.field(factory=lambda: defaultdict(list))

    def add(self, item: str, event: Event) -> None:
        """Add the events of one item."""
        self._events[item].append(event)

    def add_to_all(self, event: Event) -> None:
        """Add an event of a process, to all items that were seen before."""
        for events in self._events.values():
            events.append(event)

    def problems(self, terms: Terms, window: float) -> list[str]:
        """The events that the model does not allow, in words, an item each."""
        replay = Replay(terms)
        found = (
            (item, _given_up_too_early(each, window) or replay.first_wrong(each))
            for item, each in self._events.items()
        )
        return [f"{item}: {problem}" for item, problem in found if problem is not None]

    def __contains__(self, item: str) -> bool:
        return item in self._events

    def __len__(self) -> int:
        return sum(map(len, self._events.values()))


@attrs.define(eq=False)
class Replay:
    """Follows events in the model. Most items take one of a few ways, each followed once."""

    _terms: Terms
    _after: dict[tuple[frozenset[int], str], frozenset[int]] = attrs.field(factory=dict)
    _model: PayOnce = attrs.field(init=False)
    _unseen: tuple[str, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._model = PayOnce(self._terms, is_canonical=False)
        # Either the intent is seen or the request: one follows the other.
        sent = What.SENT if self._terms.writes_intent else "writes nothing down"
        self._unseen = (*_UNSEEN, sent)

    def first_wrong(self, events: Sequence[Event]) -> str | None:
        """The first impossible event of an item, and why; None if all are possible."""
        model = self._model
        states = frozenset({model.start})
        for number, event in enumerate(events, 1):
            if self._terms.has_keys and _is_repeated(events, number - 1):
                continue
            before = states
            words = _words_of(event)
            if (states, words) not in self._after:
                found = _after(model, states, words, self._unseen)
                self._after[states, words] = frozenset(found)
            states = self._after[states, words]
            if not states:
                place = f"event {number}, {event}"
                count = f"in the {len(before):,} states that it may be in"
                return (
                    f"{place}: the model cannot do that {count}, such as {model.show(min(before))}"
                )
            states = frozenset(each for each in states if model.broken(each) is None)
            if not states:
                return f"event {number}, {event}: an invariant is broken"
        return None


def _is_repeated(events: Sequence[Event], place: int) -> bool:
    """Whether the intent is written once more, before a keyed request is sent again."""
    return place > 0 and events[place].what is events[place - 1].what is What.INTENT


def _words_of(event: Event) -> str:
    """The words of the step of an event."""
    if event.what is What.STARTED:
        return f"{event.what} {event.row}"
    return f"run 0: {event.what}" if event.what in {What.KILLED, What.BEGAN} else event.what


def _after(model: PayOnce, states: Iterable[int], words: str, unseen: Collection[str]) -> set[int]:
    """The states after a step with these words, and any hidden steps before it."""
    seen, waiting, after = set(states), list(states), set[int]()
    while waiting:
        for state, label in model.steps(waiting.pop()):
            if words in label:
                after.add(state)
            if state not in seen and any(each in label for each in unseen):
                seen.add(state)
                waiting.append(state)
    return after


def _given_up_too_early(events: Sequence[Event], window: float) -> str | None:
    """Whether an item was sent again, or left, before its task was searched for a whole window."""
    unanswered_since: float | None = None
    for number, event in enumerate(events, 1):
        if event.what is What.STARTED:
            # What is unknown was searched for already.
            unanswered_since = event.at if event.row == "intent" else None
        elif event.what is What.NOT_CREATED:
            unanswered_since = None
        elif event.what in {What.INTENT, What.SENT, What.LEFT_UNKNOWN}:
            if unanswered_since is not None and event.at - unanswered_since < window - _TOLERANCE:
                seconds = event.at - unanswered_since
                return f"event {number}, {event}: given up after {seconds:g} s of {window:g}"
            unanswered_since = event.at
    return None
