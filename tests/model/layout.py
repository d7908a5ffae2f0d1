"""The state of the model, in bytes: a block for each item, and a common part.

Items are alike, and so are workers: of states that differ in their order alone, one is searched.
"""

from typing import Final

from tests.model.terms import Terms

MAXIMUM: Final = 2  # the most that a task costs
WORKERS: Final = 2
NO_OWNER: Final = 2  # the owner of a row whose process has ended

# The content of the row of an item
NEW, INTENT, SUBMITTED, DONE, UNKNOWN, FAILED, UNDONE = range(7)
ROWS: Final = ("new", "intent", "submitted", "done", "unknown", "failed", "undone")

# Whether it is claimed
AT_REST, WAITING, HANDED_OUT = range(3)
QUEUES: Final = ("at rest", "waiting", "handed out")

# The place of a worker in an item: each place is before a statement or a request
(IDLE, RESERVE, NO_ROOM, ASK, COMMITTED, SEND, WIRE, LIST, SEARCH, FOUND, FOLLOW, ENDED, FREED) = (
    range(13)
)
PLACES: Final = (
    *("idle", "reserve", "no room", "ask", "committed", "send", "wire", "list", "search", "found"),
    *("follow", "ended", "freed"),
)

# The state of a worker. A mute one works, and its heartbeats do not arrive.
LIVE, MUTE, ASLEEP, KILLED, STOPPED, GONE = range(6)
MODES: Final = ("live", "mute", "asleep", "killed", "stopped", "gone")

# The knowledge of a worker's session about submission keys
NOT_ASKED, HELD_BY_SERVER, NOT_HELD = range(3)

# --- the block of an item -------------------------------------------------------------------

ROW, OWNER, QUEUE, HELD, HIDDEN, SENT, TOKEN, KEYED, ROUND = range(9)
LATE_STATEMENT: Final = 9  # what it writes, or 0 for none, its owner, and its token
TASKS: Final = (12, 14, 16)  # each its end, or 0 for none, and its token
REQUESTS: Final = (18, 21)  # each an age, or 0 for none, the waiting worker, and a token
PROGRESS: Final = 24  # of each worker: its place, a clock, a claim under way, and its token
STRIDE: Final = 4  # from one worker to the next
SIZE: Final = PROGRESS + STRIDE * WORKERS

# The end of a task
RUNS, FINISHED_WELL, FINISHED_BADLY = range(1, 4)
OUTCOME: Final = 3  # of these
HAS_KEY: Final = 4  # the server knows its key
IS_FORMER: Final = 8  # it is of a round before this one

# The write of a late statement
AN_INTENT, A_REFUSAL, A_TASK = range(1, 4)
STATEMENTS: Final = ("", "an intent", "a refusal", "a task")

# A claim: 1 and the row's content; the process claimed its own item
CLAIMED: Final = 7
IS_OLD: Final = 8

LATE: Final = 15  # the age of a request that may be executed at any time

# --- the common part ------------------------------------------------------------------------

# Of each worker: its state, how long it was silent, and its knowledge of keys
MODE, SILENCE, KNOWS = range(3)
ABOUT: Final = 3  # bytes for each worker

# The faults, in the order of their counters
(
    *(KILLS, SILENCES, LOSSES, REFUSALS, REPEATS, DELAYS, FORGOTTEN_KEYS, FAILURES, CUTS),
    UPGRADES,
) = range(10)
FAULTS: Final = ABOUT * WORKERS  # where their counters stand

_SWAPPED: Final = bytes([1, 0, 2])  # owners, after the workers were exchanged
_OWNERS: Final = (OWNER, LATE_STATEMENT + 1, *(request + 1 for request in REQUESTS))


def first_block() -> bytes:
    """An item that waits."""
    block = bytearray(SIZE)
    block[ROW], block[QUEUE], block[ROUND] = NEW, WAITING, 1
    for place in _OWNERS:
        block[place] = NO_OWNER
    return bytes(block)


def first_tail(terms: Terms) -> bytes:
    """Nothing has happened."""
    modes = (LIVE if worker < terms.workers else GONE for worker in range(WORKERS))
    faults = (
        *(terms.kills, terms.silences, terms.losses, terms.refusals, terms.repeats, terms.delays),
        *(terms.forgotten_keys, terms.failures, terms.cuts, terms.upgrades),
    )
    return b"".join(bytes([mode, 0, NOT_ASKED]) for mode in modes) + bytes(faults)


def changed(state: bytes | bytearray, *places_and_values: int) -> bytearray:
    """A copy with other values at some places."""
    copy = bytearray(state)
    for index in range(0, len(places_and_values), 2):
        copy[places_and_values[index]] = places_and_values[index + 1]
    return copy


def ordered(block: bytes | bytearray) -> bytes:
    """A block with its tasks in order, because they are alike."""
    if not block[TASKS[1]]:
        return bytes(block)
    first, last = TASKS[0], TASKS[-1] + 2
    tasks = sorted((block[at : at + 2] for at in TASKS), reverse=True)
    return bytes(block[:first]) + b"".join(tasks) + bytes(block[last:])


def swapped(block: bytes) -> bytes:
    """An item, after the workers were exchanged."""
    copy = bytearray(block)
    for place in _OWNERS:
        copy[place] = _SWAPPED[block[place]]
    middle = PROGRESS + STRIDE
    return bytes(copy[:PROGRESS]) + block[middle:] + block[PROGRESS:middle]


def swapped_tail(tail: bytes) -> bytes:
    """The common part, after the workers were exchanged."""
    return tail[ABOUT:FAULTS] + tail[:ABOUT] + tail[FAULTS:]


def ended(block: bytes, worker: int) -> bytes:
    """An item without a process: its row has no owner, and no answer is awaited."""
    after = bytearray(block)
    at = PROGRESS + STRIDE * worker
    after[at : at + STRIDE] = bytes(STRIDE)
    for place in _OWNERS:
        if after[place] == worker:
            after[place] = NO_OWNER
    return bytes(after)


def outcomes(block: bytes | bytearray) -> list[int]:
    """The ends of the tasks of this round."""
    return [block[at] & OUTCOME for at in TASKS if block[at] and not block[at] & IS_FORMER]


def shown(block: bytes) -> str:
    """An item in words."""
    owner = "no process" if block[OWNER] == NO_OWNER else f"w{block[OWNER]}"
    words = [f"{ROWS[block[ROW]]}, {QUEUES[block[QUEUE]]}, of {owner}"]
    if block[ROUND] > 1:
        words.append(f"round {block[ROUND]}")
    of_round = outcomes(block)
    words.append(f"held {block[HELD]}, tasks {of_round.count(RUNS)}+{len(of_round)}")
    words.append(f"requests {sum(block[request] > 0 for request in REQUESTS)}")
    if block[LATE_STATEMENT]:
        words.append(f"{STATEMENTS[block[LATE_STATEMENT]]} on its way to the database")
    for worker in range(WORKERS):
        place = block[PROGRESS + STRIDE * worker]
        if place:
            words.append(f"w{worker} at {PLACES[place]}")
    return f"[{'; '.join(words)}]"
