"""The two tables of a queue beside those of procrastinate, and their statements. No I/O.

A job of procrastinate says who works on an item, and the row of the item says what is true.
So a job may be handed out again without harm, and each statement may be executed twice.

| state         | `held` | what is true                                               | has a job |
|---------------|--------|------------------------------------------------------------|-----------|
| `new`         | yes    | waits until its limit key has room                         | no        |
| `new`         | no     | waits for a worker, or for the budget                      | yes       |
| `intent`      | no     | a worker has begun it: its task exists, or may exist       | yes       |
| `done`        | no     | the task finished                                          | no        |
| `failed`      | no     | the task ended without success; `retry` makes it `new`     | no        |
| `dead letter` | no     | refused, so that no task exists; `retry` makes it `new`    | no        |
"""

from browser_use_async.batch.ledger.records import ItemState

SCHEMA = "browser_use_batches"
VERSION = 1

NEW, BEGUN = ItemState.NEW, ItemState.INTENT
FAILED, DEAD = ItemState.FAILED, ItemState.DEAD

# Amounts are US cents. `reserved` of an item is the most that its task can cost, from its beginning
# to its end in a batch with a budget; that of the batch is the sum. `content` is the request as
# JSON with the names of its secrets. `former` has the tasks that failed before it was tried again.
TABLES = """
CREATE TABLE batches (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    budget NUMERIC,
    per_key INTEGER,
    reserved NUMERIC NOT NULL DEFAULT 0,
    spent NUMERIC NOT NULL DEFAULT 0,
    stopped_by TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE items (
    position BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    batch TEXT NOT NULL REFERENCES batches ON DELETE CASCADE,
    key TEXT NOT NULL,
    key_digest TEXT NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    task TEXT,
    content TEXT,
    limit_key TEXT,
    maximum NUMERIC NOT NULL,
    state TEXT NOT NULL,
    held BOOLEAN NOT NULL,
    round INTEGER NOT NULL DEFAULT 1,
    reserved NUMERIC NOT NULL DEFAULT 0,
    task_id TEXT,
    status TEXT,
    output TEXT,
    steps INTEGER,
    cost NUMERIC NOT NULL DEFAULT 0,
    former_cost NUMERIC NOT NULL DEFAULT 0,
    joined BOOLEAN NOT NULL DEFAULT FALSE,
    error TEXT,
    reason TEXT,
    former JSONB NOT NULL DEFAULT '[]',
    entered_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    UNIQUE (batch, key_digest)
);
CREATE INDEX items_in_order ON items (batch, position);
CREATE INDEX items_by_end ON items (batch, ended_at, position) WHERE ended_at IS NOT NULL;
CREATE INDEX items_not_ended ON items (batch) WHERE ended_at IS NULL;
CREATE INDEX items_held ON items (batch, limit_key, position) WHERE held;
CREATE INDEX items_of_key ON items (batch, limit_key) WHERE NOT held AND ended_at IS NULL;
CREATE TABLE queue_version (version INTEGER NOT NULL);
"""

LOCK_SCHEMA = f"SELECT pg_advisory_xact_lock(hashtextextended('{SCHEMA}', 0))"
VERSION_OF_TABLES = "SELECT version FROM queue_version"
EXISTS = f"SELECT to_regclass('{SCHEMA}.queue_version') IS NOT NULL AS exists"

# --- input -----------------------------------------------------------------------------------

BEGIN_BATCH = """
INSERT INTO batches (name, id, key_prefix, budget, per_key)
VALUES (%(batch)s, %(id)s, COALESCE(%(key_prefix)s, %(batch)s || '/'), %(budget)s, %(per_key)s)
ON CONFLICT (name) DO NOTHING
"""
BATCH = "SELECT * FROM batches WHERE name = %(batch)s"
LOCK_BATCH = f"{BATCH} FOR UPDATE"
SET_BUDGET = """
UPDATE batches SET budget = COALESCE(%(budget)s, budget), stopped_by = NULL
WHERE name = %(batch)s
"""
_GIVEN = """
given AS (
    SELECT * FROM unnest(
        %(keys)s::text[], %(key_digests)s::text[], %(digests)s::text[], %(names)s::text[],
        %(tasks)s::text[], %(contents)s::text[], %(limit_keys)s::text[], %(maxima)s::numeric[],
        %(errors)s::text[], %(reasons)s::text[]
    ) WITH ORDINALITY AS given(
        key, key_digest, digest, name, task, content, limit_key, maximum, error, reason, place
    )
)
"""
# A refused item was never sent: corrected, it starts anew.
CHANGED = f"""
WITH {_GIVEN}
SELECT items.key FROM items JOIN given USING (key_digest)
WHERE batch = %(batch)s AND items.digest != given.digest AND items.state != '{DEAD}' LIMIT 1
"""
INSERT = f"""
WITH {_GIVEN}
INSERT INTO items (
    batch, key, key_digest, digest, name, task, content, limit_key, maximum, error, reason, state,
    held, ended_at
)
SELECT %(batch)s, key, key_digest, digest, name, task, content, limit_key, maximum, error, reason,
    CASE WHEN error IS NULL THEN '{NEW}' ELSE '{DEAD}' END,
    error IS NULL AND limit_key IS NOT NULL,
    CASE WHEN error IS NOT NULL THEN clock_timestamp() END
FROM given ORDER BY place
ON CONFLICT (batch, key_digest) DO UPDATE SET
    digest = excluded.digest, name = excluded.name, task = excluded.task,
    content = excluded.content, limit_key = excluded.limit_key, maximum = excluded.maximum,
    error = excluded.error, reason = excluded.reason, state = excluded.state, held = excluded.held,
    ended_at = excluded.ended_at
WHERE items.state = '{DEAD}' AND items.digest != excluded.digest
RETURNING position, round, limit_key, held, state
"""
# A failed item gets another task with another submission key. A refused one has none.
NEXT_ROUND = f"""
UPDATE items SET state = '{NEW}', held = limit_key IS NOT NULL,
    round = CASE WHEN task_id IS NULL THEN round ELSE round + 1 END,
    former_cost = former_cost + cost,
    former = CASE WHEN task_id IS NULL THEN former ELSE former || jsonb_build_array(
        jsonb_build_object('task_id', task_id, 'status', status, 'steps', steps, 'cost', cost,
            'error', error, 'reason', reason)) END,
    task_id = NULL, status = NULL, output = NULL, steps = NULL, cost = 0, joined = FALSE,
    error = NULL, reason = NULL, created_at = NULL, finished_at = NULL, ended_at = NULL
WHERE batch = %(batch)s AND state IN ('{FAILED}', '{DEAD}') AND content IS NOT NULL
RETURNING position, round, limit_key, held, state
"""
# Items without a job, though they should have one: somebody has deleted jobs.
WITHOUT_JOB = """
SELECT position, round, limit_key, held, state FROM items
WHERE batch = %(batch)s AND ended_at IS NULL AND NOT held AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs
    WHERE queue_name = %(batch)s AND status IN ('todo', 'doing')
        AND (args->>'item')::bigint = items.position
) FOR UPDATE
"""
# All who change what is under way of a limit key have locked the batch.
RELEASE = """
UPDATE items SET held = FALSE WHERE position IN (
    SELECT next.position FROM unnest(%(limit_keys)s::text[]) AS wanted(limit_key), LATERAL (
        SELECT position FROM items
        WHERE batch = %(batch)s AND items.limit_key = wanted.limit_key AND held
        ORDER BY position LIMIT GREATEST(0, %(per_key)s - (
            SELECT count(*) FROM items AS busy
            WHERE busy.batch = %(batch)s AND busy.limit_key = wanted.limit_key
                AND NOT busy.held AND busy.ended_at IS NULL
        ))
    ) AS next
) RETURNING position, round, limit_key, held, state
"""

# --- work ------------------------------------------------------------------------------------

# Reserves the maximum of an item, unless it has a reservation. No row: it has ended.
RESERVE = f"""
WITH found AS (
    SELECT items.*, batches.reserved AS total, batches.budget, batches.spent,
        items.reserved = 0
            AND (budget IS NULL OR spent + batches.reserved + maximum <= budget) AS fits
    FROM items JOIN batches ON batches.name = batch
    WHERE position = %(item)s AND round = %(round)s AND ended_at IS NULL
    FOR UPDATE
), item AS (
    UPDATE items SET reserved = found.maximum, state = '{BEGUN}'
    FROM found WHERE fits AND items.position = found.position
), summed AS (
    UPDATE batches SET reserved = batches.reserved + found.maximum
    FROM found WHERE fits AND batches.name = found.batch
)
SELECT *, fits OR reserved > 0 AS may_run FROM found
"""
# For many items of a batch without a budget: its row, which all workers share, is not locked.
START = f"""
UPDATE items SET state = '{BEGUN}'
FROM unnest(%(item)s::bigint[], %(round)s::integer[]) AS given(item, number)
WHERE position = item AND round = number AND ended_at IS NULL
RETURNING items.*
"""
# The ends of many items, each once.
RECORD = """
WITH before AS (
    SELECT given.*, batch, reserved FROM unnest(
        %(item)s::bigint[], %(round)s::integer[], %(state)s::text[], %(task_id)s::text[],
        %(status)s::text[], %(output)s::text[], %(steps)s::integer[], %(cost)s::numeric[],
        %(joined)s::boolean[], %(error)s::text[], %(reason)s::text[],
        %(created_at)s::timestamptz[], %(finished_at)s::timestamptz[]
    ) AS given(
        item, number, state, task_id, status, output, steps, cost, joined, error, reason,
        created_at, finished_at
    ) JOIN items ON position = item AND round = number
    WHERE ended_at IS NULL ORDER BY position FOR UPDATE OF items
), ended AS (
    UPDATE items SET state = before.state, task_id = before.task_id, status = before.status,
        output = before.output, steps = before.steps, cost = before.cost, joined = before.joined,
        error = before.error, reason = before.reason, created_at = before.created_at,
        finished_at = before.finished_at, reserved = 0, ended_at = clock_timestamp()
    FROM before WHERE position = item
    RETURNING items.*
), freed AS (
    SELECT batch, sum(reserved) AS reserved, sum(cost) AS cost FROM before GROUP BY batch
), summed AS (
    UPDATE batches SET reserved = batches.reserved - freed.reserved, spent = spent + freed.cost
    FROM freed WHERE name = batch AND budget IS NOT NULL
)
SELECT * FROM ended
"""
# Another worker has no slot for an item that has begun, and waits for one of those that wait.
PLACE_NEEDED = """
SELECT EXISTS (
    SELECT 1 FROM procrastinate_jobs
    WHERE status = 'todo' AND priority > 0 AND queue_name = %(batch)s
) AS is_needed
"""
STOP = "UPDATE batches SET stopped_by = %(why)s WHERE name = %(batch)s RETURNING name"
LEFT = """
SELECT stopped_by, EXISTS (
    SELECT 1 FROM items WHERE batch = %(batch)s AND ended_at IS NULL
) AS has_more FROM batches WHERE name = %(batch)s
"""

# --- output ----------------------------------------------------------------------------------

COUNTS = """
SELECT state, count(*) AS count, COALESCE(sum(cost + former_cost), 0) AS cost,
    count(*) FILTER (WHERE joined) AS joined
FROM items WHERE batch = %(batch)s GROUP BY state
"""
ITEMS = """
SELECT * FROM items WHERE batch = %(batch)s AND position > %(after)s AND ended_at IS NOT NULL
ORDER BY position LIMIT 500
"""
ALL_ITEMS = """
SELECT * FROM items WHERE batch = %(batch)s AND position > %(after)s ORDER BY position LIMIT 500
"""
# Few, so that a pause between two workers is seldom among them.
LATEST_ENDS = """
SELECT finished_at FROM items
WHERE batch = %(batch)s AND ended_at IS NOT NULL AND finished_at IS NOT NULL
ORDER BY ended_at DESC, position DESC LIMIT 100
"""
ENDED = """
SELECT * FROM items WHERE batch = %(batch)s AND ended_at IS NOT NULL
    AND (ended_at, position) > (%(since)s, %(after)s)
ORDER BY ended_at, position LIMIT 500
"""
