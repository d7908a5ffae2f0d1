"""The state of the model, in bytes: a block for each item, and a common part.

Items are alike: of states that differ in their order alone, one is searched.
"""

from typing import Final

from tests.proofs.model.terms import Terms

MAXIMUM: Final = 2  # the most that a task costs
COST: Final = 1  # of a task
PROCESSES: Final = 2  # the second one only if two ledgers have the same item

# The content of the row of an item
NEW, INTENT, SUBMITTED, DONE, UNKNOWN, FAILED = range(6)
ROWS: Final = ("new", "intent", "submitted", "done", "unknown", "failed")
UNANSWERED: Final = frozenset({INTENT, UNKNOWN})

# Whether the run has reached it
AT_REST, WAITING, UNDER_WAY = range(3)
QUEUES: Final = ("at rest", "waiting", "under way")

# The place of a run in an item: each place is before a statement or a request
(IDLE, RESERVE, ASK, SEND, WIRE, LIST, SEARCH, FOUND, FOLLOW, ENDED, FREED) = range(11)
PLACES: Final = (
    *("idle", "reserve", "ask", "send", "wire", "list", "search", "found", "follow", "ended"),
    "freed",
)

# The state of a process. One that is stopped begins nothing more; then comes the next run.
LIVE, STOPPED, OVER = range(3)
MODES: Final = ("live", "stopped", "over")

# The knowledge of a session about submission keys
NOT_ASKED, HELD_BY_SERVER, NOT_HELD = range(3)

# --- the block of an item -------------------------------------------------------------------

ROW, QUEUE, HELD, HIDDEN, SENT, TOKEN, KEYED, ROUND = range(8)
TASKS: Final = (8, 10, 12)  # each its end, or 0 for none, and its token
REQUESTS: Final = (14, 17)  # each an age, or 0 for none, whether it is awaited, and a token
# Of the run: its place, a clock, whether `retry_unknown` may send it again, and its token
PLACE, CLOCK, MAY_RESEND, MARK = range(20, 24)
SIZE: Final = 24

# The end of a task
RUNS, FINISHED_WELL, FINISHED_BADLY = range(1, 4)
OUTCOME: Final = 3  # of these
HAS_KEY: Final = 4  # the server knows its key
IS_FORMER: Final = 8  # it is of a round before this one

LATE: Final = 15  # the age of a request that may be executed at any time

# --- the common part ------------------------------------------------------------------------

# Of each process: its state, and its knowledge of keys; that of the item comes first
MODE, KNOWS = range(2)
ABOUT: Final = 2  # bytes for each process

# The faults, in the order of their counters
(KILLS, LOSSES, REFUSALS, REPEATS, DELAYS, FORGOTTEN_KEYS, FAILURES, UPGRADES) = range(8)
FAULTS: Final = ABOUT * PROCESSES  # where their counters stand


def first_block() -> bytes:
    """An item that waits."""
    block = bytearray(SIZE)
    block[ROW], block[QUEUE], block[ROUND] = NEW, WAITING, 1
    return bytes(block)


def first_tail(terms: Terms) -> bytes:
    """Nothing has happened."""
    faults = (
        *(terms.kills, terms.losses, terms.refusals, terms.repeats, terms.delays),
        *(terms.forgotten_keys, terms.failures, terms.upgrades),
    )
    return bytes([LIVE, NOT_ASKED]) * PROCESSES + bytes(faults)


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


def swapped_tail(tail: bytes) -> bytes:
    """The common part, after the processes were exchanged."""
    return tail[ABOUT:FAULTS] + tail[:ABOUT] + tail[FAULTS:]


def is_over(block: bytes, terms: Terms) -> bool:
    """Whether no run does anything more with an item."""
    return block[ROW] == DONE or (block[ROW] == FAILED and block[ROUND] == terms.rounds)


def without_run(block: bytes, terms: Terms) -> bytes:
    """An item without a process: what only that knew is lost, and the next run goes on."""
    after = bytearray(block)
    after[PLACE:SIZE] = bytes(SIZE - PLACE)
    for request in REQUESTS:
        after[request + 1] = 0
    if after[ROW] in {NEW, FAILED}:
        after[HELD] = 0  # the row has it from the intent on
    after[QUEUE] = AT_REST if is_over(block, terms) else WAITING
    return bytes(after)


def outcomes(block: bytes | bytearray) -> list[int]:
    """The ends of the tasks of this round."""
    return [block[at] & OUTCOME for at in TASKS if block[at] and not block[at] & IS_FORMER]


def used(block: bytes | bytearray) -> int:
    """The spent and reserved money of an item, by its row."""
    return block[HELD] * MAXIMUM + COST * (block[ROW] in {DONE, FAILED})


def shown(block: bytes) -> str:
    """An item in words."""
    words = [f"{ROWS[block[ROW]]}, {QUEUES[block[QUEUE]]}"]
    if block[ROUND] > 1:
        words.append(f"round {block[ROUND]}")
    of_round = outcomes(block)
    words.append(f"held {block[HELD]}, tasks {of_round.count(RUNS)}+{len(of_round)}")
    words.append(f"requests {sum(block[request] > 0 for request in REQUESTS)}")
    if block[PLACE]:
        words.append(f"at {PLACES[block[PLACE]]}")
    return f"[{'; '.join(words)}]"
