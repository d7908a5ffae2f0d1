"""The longer statements of a ledger in PostgreSQL."""

from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import COLUMNS, IN_ORDER, WITH_FORMER
from browser_use_async.batch.ledger.statements import (
    IN_DOUBT,
    IS_FINAL,
    OUTCOMES,
)
from browser_use_async.batch.postgres.schema import (
    AT_REST,
    COUNTS_FOR_KEY,
    HANDED_OUT,
    IN_TURN,
    IS_BEGUN,
    WAITING,
    WAITS_FOR_KEY,
)

# The parameter of statements for many items at once: the columns of each as a JSON object, which
# takes less time to make than arrays.
_GIVEN = "given AS (SELECT * FROM json_to_recordset(%s) AS given"
# The same token with the same time means that this statement is executed a second time. A task or
# an end is never overwritten, since it is newer.
RECORD_INTENTS = f"""
WITH {_GIVEN}(
    position BIGINT, call TEXT, mark TEXT, token TEXT, is_keyed BOOLEAN, moment DOUBLE PRECISION,
    maximum BIGINT
)), found AS (
    SELECT items.position, reserved,
        (items.token, sent_at) IS DISTINCT FROM (given.token, given.moment) AS is_new
    FROM items JOIN given ON given.position = items.position AND given.call = items.claim
    WHERE state = '{ItemState.NEW}' OR state IN {IN_DOUBT}
    ORDER BY items.position FOR UPDATE OF items
), written AS (
    UPDATE items SET
        attempts = attempts + CASE WHEN is_new THEN 1 ELSE 0 END,
        state = '{ItemState.INTENT}', mark = given.mark, token = given.token,
        keyed = given.is_keyed, sent_at = given.moment, reserved = given.maximum
    FROM found JOIN given USING (position) WHERE items.position = found.position
    RETURNING items.position
), more AS (
    SELECT SUM(maximum - reserved) AS reserved FROM found JOIN given USING (position)
), summed AS (
    UPDATE batch SET reserved = batch.reserved + more.reserved FROM more
    WHERE more.reserved != 0 RETURNING 1
)
SELECT position FROM written
"""
CLAIM_TASKS = f"""
WITH {_GIVEN}(position BIGINT, call TEXT, task TEXT, is_joined BOOLEAN))
UPDATE items SET state = '{ItemState.SUBMITTED}', task_id = given.task, joined = given.is_joined
FROM given WHERE items.position = given.position AND claim = given.call AND NOT {IS_FINAL}
    AND NOT EXISTS (
        SELECT 1 FROM items AS others
        WHERE others.task_id = given.task AND others.position != given.position
    ) AND NOT EXISTS (SELECT 1 FROM former_tasks WHERE former_tasks.task_id = given.task)
RETURNING items.position
"""
# Returns the previous budget if the item then has a reservation; no row if there is no room.
RESERVE = """
WITH found AS (
    SELECT position, items.reserved, budget, spent, batch.reserved AS total
    FROM items, batch WHERE position = %(position)s AND claim = %(call)s FOR UPDATE
), fitting AS (
    SELECT position FROM found
    WHERE reserved = 0 AND %(maximum)s <= LEAST(budget, %(limit)s) - spent - total
), item AS (
    UPDATE items SET reserved = %(maximum)s FROM fitting WHERE items.position = fitting.position
), summed AS (
    UPDATE batch SET reserved = batch.reserved + %(maximum)s FROM fitting
)
SELECT budget, spent, total FROM found WHERE reserved > 0 OR EXISTS (TABLE fitting)
"""
# The effects of ended items on the sums of the batch, in one statement, so that the row of the
# batch, which all processes share, is locked only for a short time:
#
# | the item                  | cost in `spent`                   | `reserved` of the item |
# |---------------------------|-----------------------------------|------------------------|
# | done, failed, dead letter | the new one, less the one of an   | given back             |
# | unknown                   | earlier commit whose answer was   | kept: it may have one  |
# |                           | lost                              |                        |
RECORD_OUTCOMES = f"""
WITH {_GIVEN}(
    position BIGINT, call TEXT, spent BIGINT, is_over BOOLEAN,
    state TEXT, status TEXT, steps BIGINT, cost BIGINT, joined BOOLEAN, error TEXT, reason TEXT,
    created_at DOUBLE PRECISION, finished_at DOUBLE PRECISION, output_bytes BIGINT, output TEXT
)), before AS (
    SELECT items.position, given.spent - COALESCE(items.cost, 0) AS paid,
        CASE WHEN is_over THEN reserved ELSE 0 END AS freed
    FROM items JOIN given ON given.position = items.position AND given.call = items.claim
    ORDER BY items.position FOR UPDATE OF items
), ended AS (
    UPDATE items SET {", ".join(f"{name} = given.{name}" for name in OUTCOMES)},
        queue_state = {AT_REST}, reserved = items.reserved - freed,
        recorded_at = extract(epoch FROM clock_timestamp())
    FROM before JOIN given USING (position) WHERE items.position = before.position
    RETURNING items.position
), more AS (
    SELECT SUM(paid) AS paid, SUM(freed) AS freed FROM before
), summed AS (
    UPDATE batch SET spent = spent + more.paid, reserved = reserved - more.freed
    FROM more WHERE more.paid != 0 OR more.freed != 0 RETURNING 1
)
SELECT position, notified FROM ended, pg_notify(current_schema(), '') AS notified
"""
BEAT = """
WITH beat AS (
    INSERT INTO workers VALUES (%(owner)s, clock_timestamp(), %(lease)s)
    ON CONFLICT (owner) DO UPDATE SET beaten_at = excluded.beaten_at
)
"""
HELD = f"{BEAT} SELECT position FROM items WHERE owner = %(owner)s AND queue_state = {HANDED_OUT}"
# The array is made first: in a join with a limit that the planner does not know, all rows could be
# read. A claim also renews the lease, so that the items are not taken over at once.
CLAIM_NEXT = f"""
{BEAT}, begun AS MATERIALIZED (
    SELECT position FROM items WHERE queue_state = {WAITING} AND {IS_BEGUN}
    ORDER BY {IN_TURN} LIMIT %(count)s FOR UPDATE SKIP LOCKED
)
, claimed AS (
UPDATE items SET queue_state = {HANDED_OUT}, owner = %(owner)s, claim = %(call)s
WHERE position = ANY(ARRAY(SELECT position FROM begun) || ARRAY(
    SELECT position FROM items
    WHERE queue_state = {WAITING} AND NOT {IS_BEGUN} AND limit_key IS NULL
        AND {IN_TURN} >= %(first)s
    ORDER BY {IN_TURN} LIMIT GREATEST(%(new)s - (SELECT COUNT(*) FROM begun), 0)
    FOR UPDATE SKIP LOCKED
))
RETURNING *
)
SELECT {COLUMNS}, request FROM claimed AS items {WITH_FORMER} {IN_ORDER}
"""
# If two processes counted at once, they could exceed the limit together. The statement that counts
# must begin after the lock was taken: else it does not see the claims of the previous process.
LOCK_KEYS = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 3))"
# From a limit key on, the items that have room under their keys; for each key the first ones. A
# full key costs two index look-ups, however many items wait for it.
CLAIM_LIMITED = f"""
{BEAT.replace("WITH", "WITH RECURSIVE", 1)}, keys AS (
    (
        SELECT limit_key FROM items WHERE {WAITS_FOR_KEY} AND limit_key > %(after)s
        ORDER BY limit_key LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT limit_key FROM items WHERE {WAITS_FOR_KEY} AND items.limit_key > keys.limit_key
        ORDER BY limit_key LIMIT 1
    ) FROM keys WHERE keys.limit_key IS NOT NULL
), fitting AS MATERIALIZED (
    SELECT position FROM keys CROSS JOIN LATERAL (
        SELECT COUNT(*) AS count FROM items
        WHERE {COUNTS_FOR_KEY} AND items.limit_key = keys.limit_key
    ) AS counted CROSS JOIN LATERAL (
        SELECT position FROM items WHERE {WAITS_FOR_KEY} AND items.limit_key = keys.limit_key
        ORDER BY position
        LIMIT GREATEST(COALESCE((SELECT per_key FROM batch), %(count)s) - counted.count, 0)
        FOR UPDATE SKIP LOCKED
    ) AS waiting WHERE keys.limit_key IS NOT NULL LIMIT %(count)s
), claimed AS (
    UPDATE items SET queue_state = {HANDED_OUT}, owner = %(owner)s, claim = %(call)s
    WHERE position = ANY(ARRAY(SELECT position FROM fitting))
    RETURNING *
)
SELECT {COLUMNS}, request, limit_key FROM claimed AS items {WITH_FORMER} {IN_ORDER}
"""
# The claim of an item that waits for its key is removed: else the silent process could continue it
# after another one has counted.
RESCUE = f"""
WITH silent AS (
    DELETE FROM workers WHERE lease <= %(longest)s
        AND beaten_at < clock_timestamp() - make_interval(secs => lease)
    RETURNING owner
)
UPDATE items SET queue_state = {WAITING},
    claim = CASE WHEN limit_key IS NULL OR {IS_BEGUN} THEN claim END
WHERE position = ANY(ARRAY(
    SELECT position FROM items WHERE queue_state = {HANDED_OUT} AND (
        owner IN (SELECT owner FROM silent) OR owner NOT IN (SELECT owner FROM workers)
    ) FOR UPDATE SKIP LOCKED
))
RETURNING position
"""
HAND_BACK_ALL = f"""
WITH gone AS (DELETE FROM workers)
UPDATE items SET queue_state = {WAITING} WHERE queue_state = {HANDED_OUT}
"""
# Each selects the first row of an index: EXISTS alone may read all items.
HOLDERS = f"""
SELECT (
    SELECT true FROM items WHERE queue_state = {HANDED_OUT} AND reserved > 0 ORDER BY owner LIMIT 1
), (
    SELECT true FROM items WHERE queue_state = {WAITING} AND {IS_BEGUN} AND reserved > 0
    ORDER BY {IN_TURN} LIMIT 1
)
"""
IS_SETTLED = f"""
WITH waiting AS (
    SELECT 1 FROM items WHERE queue_state = {WAITING} AND {IS_BEGUN} ORDER BY {IN_TURN} LIMIT 1
), handed_out AS (
    SELECT 1 FROM items WHERE queue_state = {HANDED_OUT} AND {IS_BEGUN} ORDER BY owner LIMIT 1
)
SELECT NOT EXISTS (TABLE waiting) AND NOT EXISTS (TABLE handed_out)
"""
IS_OVER = f"""
WITH waiting AS (
    SELECT 1 FROM items WHERE queue_state = {WAITING} AND limit_key IS NULL
    ORDER BY {IN_TURN} LIMIT 1
), begun AS (
    SELECT 1 FROM items WHERE queue_state = {WAITING} AND {IS_BEGUN} ORDER BY {IN_TURN} LIMIT 1
), limited AS (
    SELECT 1 FROM items WHERE {WAITS_FOR_KEY} ORDER BY limit_key LIMIT 1
), handed_out AS (
    SELECT 1 FROM items WHERE queue_state = {HANDED_OUT} ORDER BY owner LIMIT 1
)
SELECT is_complete AND NOT EXISTS (TABLE waiting) AND NOT EXISTS (TABLE begun)
    AND NOT EXISTS (TABLE limited) AND NOT EXISTS (TABLE handed_out)
FROM batch
"""
