"""The longer statements of a ledger in PostgreSQL."""

from browser_use_async.batch.budget import WORST_CASE
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.store import OUTCOME, LedgerStore
from browser_use_async.batch.postgres.schema import (
    AT_REST,
    HANDED_OUT,
    IN_DOUBT,
    IN_TURN,
    IS_BEGUN,
    WAITING,
)

# What the record of an item is made of.
RECORD_COLUMNS = f"{LedgerStore.record_columns}, claim, entered_at"

# The difference of the costs: 0 if the same was committed before. One statement, so that the row of
# the batch, which all processes share, is locked for no longer than the server needs. What is set
# aside for lost requests of an item that was never sent again is for this very task.
RECORD_OUTCOME = f"""
WITH before AS (
    SELECT position, COALESCE(cost, 0) AS cost, expected, at_most,
        CASE WHEN doubted THEN 0 ELSE doubt END AS sole
    FROM items WHERE position = %(position)s AND claim = %(call)s FOR UPDATE
), ended AS (
    UPDATE items SET {OUTCOME}, queue_state = {AT_REST},
        expected = CASE WHEN %(is_over)s THEN 0 ELSE before.expected END,
        at_most = CASE WHEN %(is_over)s THEN 0 ELSE before.at_most END,
        doubt = items.doubt - CASE WHEN %(is_over)s THEN before.sole ELSE 0 END,
        recorded_at = extract(epoch FROM clock_timestamp())
    FROM before WHERE items.position = before.position RETURNING 1
), paid AS (
    UPDATE batch SET spent = spent + %(spent)s - before.cost,
        reserved = reserved - CASE WHEN %(is_over)s THEN before.expected + sole ELSE 0 END,
        at_most = batch.at_most - CASE WHEN %(is_over)s THEN before.at_most + sole ELSE 0 END
    FROM before
    WHERE before.cost != %(spent)s OR (%(is_over)s AND before.at_most + sole != 0) RETURNING 1
)
SELECT (SELECT COUNT(*) FROM ended), pg_notify(current_schema(), '')
"""
BEAT = """
WITH beat AS (
    INSERT INTO workers VALUES (%(owner)s, clock_timestamp(), %(lease)s)
    ON CONFLICT (owner) DO UPDATE SET beaten_at = excluded.beaten_at
)
"""
HELD = f"{BEAT} SELECT position FROM items WHERE owner = %(owner)s AND queue_state = {HANDED_OUT}"
# The array is made first: joined with a limit that no plan knows, all rows could be read. A process
# that claims is alive: its items are not taken over at once.
CLAIM_NEXT = f"""
{BEAT}, begun AS MATERIALIZED (
    SELECT position FROM items WHERE queue_state = {WAITING} AND {IS_BEGUN}
    ORDER BY {IN_TURN} LIMIT %(count)s FOR UPDATE SKIP LOCKED
)
UPDATE items SET queue_state = {HANDED_OUT}, owner = %(owner)s, claim = %(call)s
WHERE position = ANY(ARRAY(SELECT position FROM begun) || ARRAY(
    SELECT position FROM items
    WHERE queue_state = {WAITING} AND NOT {IS_BEGUN} AND {IN_TURN} >= %(first)s
    ORDER BY {IN_TURN} LIMIT GREATEST(%(new)s - (SELECT COUNT(*) FROM begun), 0)
    FOR UPDATE SKIP LOCKED
))
RETURNING key, name, request, {IS_BEGUN}, {RECORD_COLUMNS}
"""
RESCUE = f"""
WITH silent AS (
    DELETE FROM workers WHERE lease <= %(longest)s
        AND beaten_at < clock_timestamp() - make_interval(secs => lease)
    RETURNING owner
)
UPDATE items SET queue_state = {WAITING} WHERE position = ANY(ARRAY(
    SELECT position FROM items WHERE queue_state = {HANDED_OUT} AND (
        owner IN (SELECT owner FROM silent) OR owner NOT IN (SELECT owner FROM workers)
    ) FOR UPDATE SKIP LOCKED
))
RETURNING position
"""
RESERVE = f"""
UPDATE batch SET reserved = reserved + %(expected)s, at_most = at_most + %(at_most)s
WHERE budget IS NULL OR spent + at_most + %(at_most)s <= budget
    OR (at_most = 0 AND spent + %(alone)s <= budget)
    OR (at_most > 0 AND spent + reserved + %(expected)s <= budget
        AND spent + at_most + %(at_most)s <= {WORST_CASE} * budget)
"""
# Each the first one in the order of an index: EXISTS by itself may read all items.
HOLDERS = f"""
SELECT (
    SELECT true FROM items WHERE queue_state = {HANDED_OUT} AND at_most > 0 ORDER BY owner LIMIT 1
), (
    SELECT true FROM items WHERE queue_state = {WAITING} AND {IS_BEGUN} AND at_most > 0
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
END_DOUBTS = f"""
WITH before AS (
    SELECT position, doubt FROM items
    WHERE doubted AND doubt > 0 AND NOT (state = '{ItemState.SUBMITTED}' OR state IN {IN_DOUBT})
    FOR UPDATE
), ended AS (
    UPDATE items SET doubt = 0 FROM before WHERE items.position = before.position
)
UPDATE batch SET reserved = reserved - freed, at_most = at_most - freed
FROM (SELECT SUM(doubt) AS freed FROM before) AS kept WHERE freed > 0
"""
IS_OVER = f"""
WITH waiting AS (
    SELECT 1 FROM items WHERE queue_state = {WAITING} ORDER BY {IN_TURN} LIMIT 1
), handed_out AS (
    SELECT 1 FROM items WHERE queue_state = {HANDED_OUT} ORDER BY owner LIMIT 1
)
SELECT is_complete AND NOT EXISTS (TABLE waiting) AND NOT EXISTS (TABLE handed_out) FROM batch
"""
