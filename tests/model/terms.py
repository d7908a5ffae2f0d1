"""The terms of one search: its size, the possible faults, and the rules of the protocol."""

from typing import Final, Literal

import attrs

ALWAYS: Final = 255
"""Of a fault: however often it has happened, it may happen again."""


@attrs.frozen(kw_only=True)
class Terms:
    """The defaults are the protocol as built, with two workers and one fault of each kind."""

    items: int = 2
    workers: int = 2
    concurrency: int = 2  # items at once for each worker
    sends: int = 2  # of each item with `retry_unknown`, until it is left in doubt
    rounds: int = 1  # of `retry_failed`, with the first one
    budget: int | None = None  # a task costs 1, and may cost 2

    # How often each fault may happen
    kills: int = 1  # of a process
    silences: int = 1  # a process sleeps, or works and is mute
    losses: int = 1  # of a request or of an answer
    refusals: int = 0  # 429
    repeats: int = 0  # of a request, by the network
    delays: int = 0  # of a request, for any time
    forgotten_keys: int = 0  # by the server
    failures: int = 0  # of a task
    cuts: int = 0  # the database executes a statement twice, the second time at any time
    upgrades: int = 0  # until then the server does not know keys

    # In ticks
    delay: int = 1  # until a request that is not late is executed
    lag: int = 0  # until a task is in the list
    lease: int = 1
    window: int = 4  # of the search

    # Further steps of the environment
    may_sleep_before_sending: bool = False  # between the answer to a commit and the request
    has_slow_claims: bool = False  # the answer to a claim takes any time
    has_slow_intents: bool = False  # the intent of an item that was cancelled is written later
    counts_late_tasks: bool = True  # whether a second task that comes late is one too many

    # The rules of the protocol
    writes_intent: bool = True  # durably, before the request
    writes_token: bool = True  # with the intent
    asks_for_owner: bool = True  # in each statement
    asks_for_claim: bool = True  # and not only for the owner
    asks_for_end: bool = True  # a statement that names a task, which stands below an end
    asks_for_intent: bool = True  # a statement that takes one back, which names it
    asks_again: bool = True  # who owns an item, if the commit took a lease
    frees_at_end: bool = True  # the reservation, in the statement that records the end
    decides_at_once: bool = True  # that there is no room, and that no item has money
    counts_waiting: bool = True  # the money of items that wait, too
    gives_place: bool = True  # to an item with money, which waits
    has_token_of_round: bool = True  # another one for each round of `retry_failed`

    # Keys
    has_keys: bool = False  # whether the server knows submission keys
    key_in_transaction: bool = True  # with the task
    writes_whether_keyed: bool = (
        True  # as a ledger does: whether keys were known before the request
    )
    compares_echo: Literal["before", "after", "never"] = "before"  # the key is relied on
    strips_keys: Literal["never", "everywhere", "run-task"] = "never"  # a proxy does
    has_old_nodes: bool = False  # a request may reach a server that does not know keys
    says_early: bool = False  # that keys are known, while there are such servers
    is_shared: bool = False  # each item is the same one, in a ledger of its own
