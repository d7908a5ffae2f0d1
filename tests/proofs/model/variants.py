"""The searched variants: the protocol as built, and weaker ones, which must be refuted."""

from typing import Any, Final

import attrs

from tests.proofs.model.budget_scope import BudgetScope, ScopeTerms
from tests.proofs.model.protocol import PayOnce
from tests.proofs.model.queue import QueueModel, QueueTerms
from tests.proofs.model.search import Search, Verdict
from tests.proofs.model.terms import Terms


@attrs.frozen
class Variant:
    """A model, and whether the search must refute it."""

    name: str
    terms: Terms | ScopeTerms | QueueTerms
    is_refuted: bool = False
    must_end: bool = True  # whether each run must be able to end well

    def search(self, most: int | None = None) -> Verdict:
        """Search all its states, or the first `most`."""
        if isinstance(self.terms, ScopeTerms):
            return Search(BudgetScope(self.terms), ends=self.must_end).run(most)
        if isinstance(self.terms, QueueTerms):
            return Search(QueueModel(self.terms), ends=self.must_end).run(most)
        return Search(PayOnce(self.terms), ends=self.must_end).run(most)


def _one(**terms: Any) -> Terms:
    return Terms(items=1, **terms)


def _quiet(**terms: Any) -> Terms:
    """Without any fault."""
    return Terms(kills=0, losses=0, **terms)


def _keys(**terms: Any) -> Terms:
    """One item, on a server that knows keys; nothing is searched for."""
    return attrs.evolve(Terms(items=1, has_keys=True, window=0), **terms)


def _retried(**terms: Any) -> Terms:
    """A task fails, and its item gets another one."""
    return Terms(items=1, rounds=2, failures=1, **terms)


def _shared(**terms: Any) -> Terms:
    """The same item in two ledgers."""
    return Terms(is_shared=True, **terms)


def _exchanged(**terms: Any) -> Terms:
    """A process is killed, and the next one finds a server that knows keys."""
    return Terms(has_keys=True, upgrades=1, concurrency=1, losses=0, **terms)


def _call(**terms: Any) -> Terms:
    """A call without a ledger, whose process lives: a page of the list shows whether keys help."""
    call = Terms(items=1, kills=0, has_keys=True, writes_whether_keyed=False)
    return attrs.evolve(call, **terms)


def _queue(**terms: Any) -> QueueTerms:
    return QueueTerms(**terms)


def _narrow(**terms: Any) -> QueueTerms:
    """One worker with one slot, and room for one task in the budget."""
    return QueueTerms(workers=1, slots=1, budget=3, silences=0, losses=0, **terms)


QUEUE: Final = (
    Variant("a queue: a kill, a silence, a loss", _queue()),
    Variant("a queue: a fetch whose answer is lost", _queue(silences=0, lost_fetches=1)),
    Variant("a queue with a budget", _queue(budget=3)),
    Variant("a queue with a budget, and few slots", _narrow()),
    Variant("a queue with a limit per key", _queue(items=3, per_key=1, silences=0)),
)
"""Batches of many machines: jobs of an engine, which gives each out at least once."""

WEAK_QUEUE: Final = (
    Variant("a queue: each worker has keys of its own", _queue(same_key=False), True),
    Variant("a queue: no item remembers its reservation", _queue(remembers=False), True),
    Variant("a queue: an end is recorded over an end", _queue(asks_for_end=False), True),
    Variant("a queue: the cost in a second statement", _queue(records_at_once=False), True),
    Variant(
        "a queue: the next item in a second statement",
        _queue(per_key=1, silences=0, releases_at_once=False),
        True,
    ),
    Variant("a queue: the job is finished first", _queue(finishes_last=False), True),
    Variant(
        "a queue: begun items do not count for a key",
        _queue(items=4, workers=1, slots=4, per_key=2, kills=0, silences=0, counts_begun=False),
        True,
    ),
    Variant("a queue: nobody gives place", _narrow(gives_place=False), True),
    Variant(
        "a queue: a job of a lost answer stays",
        _queue(silences=0, lost_fetches=1, gives_back=False),
        True,
    ),
)

TRUE: Final = (
    Variant("1 item: 2 kills, 2 losses", _one(kills=2, losses=2)),
    Variant("1 item: the list lags", _one(lag=1)),
    Variant("1 item: a 429, a loss", _one(refusals=1)),
    Variant("2 items: a kill, a loss", Terms()),
    Variant("a budget with room for one task", Terms(budget=3)),
    Variant("a round of retries", _retried()),
    Variant("a budget around calls: a loss, a delay", ScopeTerms(cancels=0)),
    Variant("a budget around calls: a cancelled call", ScopeTerms(losses=0, delays=0)),
)
"""The protocol as built, in scopes that take seconds together."""

WITH_KEYS: Final = (
    Variant("the network repeats", _keys(repeats=1)),
    Variant("a request comes late", _keys(delays=1, kills=2)),
    Variant("a proxy strips them", _keys(window=4, strips_keys="everywhere")),
    Variant("a proxy strips run-task alone", _keys(window=4, strips_keys="run-task")),
    Variant("some nodes are old", _keys(window=4, has_old_nodes=True)),
    Variant("the server is exchanged for one with keys", _exchanged()),
    Variant("two ledgers with one key", _shared(has_keys=True, window=0)),
    Variant("a round of retries: a late request", _retried(has_keys=True, window=0, delays=1)),
    Variant("a call: the list shows it", _call(repeats=1)),
    Variant("a call: a proxy strips them", _call(strips_keys="everywhere")),
    Variant("a call: the server is exchanged", _call(upgrades=1)),
)
"""What it promises with a service that keeps one task for each submission key."""

REFUTED: Final = (
    Variant("no intent before the request", _one(writes_intent=False), True),
    Variant("a window no longer than the delay", _one(window=1), True),
    Variant("a window shorter than the lag of the list", _one(lag=2, window=2), True),
    Variant("money is freed before the end", _quiet(budget=2, frees_at_end=False), True),
    Variant("an item without room waits for ever", _quiet(budget=2, leaves_out=False), True),
    Variant("the network repeats, without keys", _one(repeats=1), True),
    Variant("a key outside of the transaction", _keys(key_in_transaction=False), True),
    Variant(
        "the echo is not compared", _call(strips_keys="everywhere", compares_echo="never"), True
    ),
    Variant(
        "the echo is compared after the repetition",
        _call(strips_keys="everywhere", compares_echo="after"),
        True,
    ),
    Variant("a server that forgets keys", _keys(forgotten_keys=1), True),
    Variant("a token that is not in the row", _one(writes_token=False), True),
    Variant("a key that is not in the row", _keys(writes_token=False), True),
    Variant("one key for all rounds", _retried(has_keys=True, has_token_of_round=False), True),
    Variant("one token for all rounds", _retried(has_token_of_round=False), True),
    Variant("two ledgers with one key, without keys", _shared(), True),
    Variant(
        "some nodes are old, and others say that keys are known",
        _call(has_old_nodes=True, says_early=True),
        True,
    ),
    Variant(
        "a row that does not say whether keys were known",
        _exchanged(writes_whether_keyed=False),
        True,
    ),
    Variant("a call: a proxy strips run-task alone", _call(strips_keys="run-task"), True),
    Variant("a call: the server is exchanged, and lags", _call(upgrades=1, lag=1), True),
    Variant(
        "one reservation for two calls sent", ScopeTerms(cancels=0, reserves_twice=False), True
    ),
    Variant(
        "no refresh looks for cancelled calls",
        ScopeTerms(losses=0, delays=0, refresh_resolves=False),
        True,
    ),
)
"""Weakened ones, and what no protocol without keys can promise."""

LARGE: Final = (
    Variant("2 items: 2 kills, 2 losses, a 429", Terms(kills=2, losses=2, refusals=1)),
    Variant("keys: 2 items: 2 kills, a loss, a delay", _keys(items=2, kills=2, delays=1)),
    Variant("a budget: 3 items, 2 kills, a loss", Terms(items=3, budget=5, kills=2)),
    Variant("3 items: 2 kills, 2 losses", Terms(items=3, kills=2, losses=2), must_end=False),
)
"""Scopes that take minutes."""
