"""The state of the model: bytes, because millions of them are kept.

A block for each item comes first, then two bytes for each worker, then how often each fault may
still happen. Items are alike, and so are workers: of states that differ in their order alone, one
is searched.
"""

from typing import Final

from tests.model.terms import Terms

MAXIMUM: Final = 2  # what a task may cost
WORKERS: Final = 2
NO_OWNER: Final = 2  # the owner of a row whose process has ended

# What the row of an item says
NEW, INTENT, SUBMITTED, DONE, UNKNOWN, UNDONE = range(6)
ROWS: Final = ("new", "intent", "submitted", "done", "unknown", "undone")

# Whether it is handed out
AT_REST, WAITING, HANDED_OUT = range(3)
QUEUES: Final = ("at rest", "waiting", "handed out")

# Where a worker stands with an item: each place is in front of a statement or a request
(IDLE, RESERVE, NO_ROOM, ASK, COMMITTED, SEND, WIRE, SEARCH, FOUND, FOLLOW, ENDED, FREED) = range(
    12
)
PLACES: Final = (
    *("idle", "reserve", "no room", "ask", "committed", "send", "wire", "search", "found"),
    *("follow", "ended", "freed"),
)

# How a worker is. One that is mute works, and its heartbeats do not arrive.
LIVE, MUTE, ASLEEP, KILLED, STOPPED, GONE = range(6)
MODES: Final = ("live", "mute", "asleep", "killed", "stopped", "gone")

# The block of an item
ROW, OWNER, QUEUE, HELD, RUNNING, FINISHED, HIDDEN, KEY, SENT = range(9)
REQUESTS: Final = (9, 11)  # each an age, or 0 for none, and the worker that waits for its answer
PROGRESS: Final = 13  # of each worker: its place, a clock, and a claim whose answer is under way
SIZE: Final = PROGRESS + 3 * WORKERS

# A claim: 1 and what the row said; the process claimed its own item; its old intent is under way
CLAIMED: Final = 7
IS_OLD: Final = 8
IS_WRITTEN_LATER: Final = 16

LATE: Final = 15  # the age of a request that is carried out whenever it likes

# The faults, in the order of their counters
KILLS, SILENCES, LOSSES, REFUSALS, REPEATS, DELAYS, FORGOTTEN_KEYS = range(7)

_SWAPPED: Final = bytes([1, 0, 2])  # owners, once the workers have changed places


def first_state(terms: Terms) -> bytes:
    """All items wait, and nothing has happened."""
    block = bytearray(SIZE)
    block[ROW], block[OWNER], block[QUEUE] = NEW, NO_OWNER, WAITING
    for request in REQUESTS:
        block[request + 1] = NO_OWNER
    workers = b"".join(
        bytes([LIVE if worker < terms.workers else GONE, 0]) for worker in range(WORKERS)
    )
    faults = (
        *(terms.kills, terms.silences, terms.losses, terms.refusals, terms.repeats, terms.delays),
        terms.forgotten_keys,
    )
    return bytes(block) * terms.items + workers + bytes(faults)


def changed(state: bytes | bytearray, *places_and_values: int) -> bytearray:
    """A copy with other values at some places."""
    copy = bytearray(state)
    for index in range(0, len(places_and_values), 2):
        copy[places_and_values[index]] = places_and_values[index + 1]
    return copy


def canonical(state: bytes | bytearray, terms: Terms) -> bytes:
    """The one of the states that differ in the order of items and workers alone."""
    whole, end = bytes(state), terms.items * SIZE
    blocks = [whole[at : at + SIZE] for at in range(0, end, SIZE)]
    first = b"".join(sorted(blocks)) + whole[end:]
    if terms.workers == 1:
        return first
    modes = whole[end + 2 : end + 4] + whole[end : end + 2]
    second = b"".join(sorted(map(_swapped, blocks))) + modes + whole[end + 4 :]
    return min(first, second)


def _swapped(block: bytes) -> bytes:
    """An item, once the workers have changed places."""
    copy = bytearray(block)
    for place in (OWNER, *(request + 1 for request in REQUESTS)):
        copy[place] = _SWAPPED[block[place]]
    copy[PROGRESS : PROGRESS + 3], copy[PROGRESS + 3 :] = (
        block[PROGRESS + 3 :],
        block[PROGRESS : PROGRESS + 3],
    )
    return bytes(copy)


def shown(state: bytes, terms: Terms) -> str:
    """A state in words."""
    end = terms.items * SIZE
    items = " ".join(_shown_item(state[at : at + SIZE]) for at in range(0, end, SIZE))
    modes = ", ".join(MODES[state[end + 2 * worker]] for worker in range(terms.workers))
    return f"{items} workers {modes}"


def _shown_item(block: bytes) -> str:
    owner = "no process" if block[OWNER] == NO_OWNER else f"w{block[OWNER]}"
    words = [f"{ROWS[block[ROW]]}, {QUEUES[block[QUEUE]]}, of {owner}"]
    words.append(f"held {block[HELD]}, tasks {block[RUNNING]}+{block[FINISHED]}")
    words.append(f"requests {sum(block[request] > 0 for request in REQUESTS)}")
    for worker in range(WORKERS):
        place = block[PROGRESS + 3 * worker]
        if place:
            words.append(f"w{worker} at {PLACES[place]}")
    return f"[{'; '.join(words)}]"
