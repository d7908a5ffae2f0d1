"""The terms of one search: its size, the possible faults, and the rules of the protocol."""

from typing import Final, Literal

import attrs

ALWAYS: Final = 255
"""Of a fault: however often it has happened, it may happen again."""


@attrs.frozen(kw_only=True)
class Terms:
    """The defaults are the protocol as built: a batch with a ledger, and one fault of each kind."""

    items: int = 2
    concurrency: int = 2  # items at once
    sends: int = 2  # of each item, by the later ones with `retry_unknown`
    rounds: int = 1  # of `retry_failed`, with the first one
    budget: int | None = None  # a task costs 1, and may cost 2

    # How often each fault may happen
    kills: int = 1  # of a process
    losses: int = 1  # of a request or of an answer
    refusals: int = 0  # 429
    repeats: int = 0  # of a request, by the network
    delays: int = 0  # of a request, for any time
    forgotten_keys: int = 0  # by the server
    failures: int = 0  # of a task
    upgrades: int = 0  # until then the server does not know keys

    # In ticks
    delay: int = 1  # until a request that is not late is executed
    lag: int = 0  # until a task is in the list
    window: int = 4  # of the search

    # The rules of the protocol
    writes_intent: bool = True  # durably, before the request
    writes_token: bool = True  # with the intent
    frees_at_end: bool = True  # the reservation, in the statement that records the end
    leaves_out: bool = True  # an item without room, once no task runs that could make some
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
    is_shared: bool = False  # each item is the same one, in a ledger and a process of its own
