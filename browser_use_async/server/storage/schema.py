"""The tables, in statements that SQLite and PostgreSQL both understand."""

_STATEMENTS = (
    # To version 2.
    """
    -- Keys that the server makes for itself.
    CREATE TABLE server_keys (name TEXT PRIMARY KEY, value {blob} NOT NULL);
    -- Balances are millionths of a cent. `tasks` numbers the tasks of an owner without gaps,
    -- the first `expired_tasks` of which have been deleted.
    CREATE TABLE accounts (owner TEXT PRIMARY KEY, balance BIGINT NOT NULL, tasks BIGINT NOT NULL,
        expired_tasks BIGINT NOT NULL);
    CREATE TABLE tasks (id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL,
        task TEXT NOT NULL, created_at TEXT NOT NULL, metadata TEXT NOT NULL,
        viewport TEXT NOT NULL, save_browser_data INTEGER NOT NULL, included_file_names TEXT,
        live_token TEXT NOT NULL, share_token TEXT, llm_model TEXT NOT NULL,
        max_agent_steps INTEGER NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL,
        finished_at TEXT, takes_screenshots INTEGER NOT NULL, recordings TEXT NOT NULL,
        output TEXT, output_files TEXT NOT NULL, files_expired INTEGER NOT NULL, request TEXT);
    CREATE UNIQUE INDEX tasks_by_position ON tasks (owner, position);
    CREATE UNIQUE INDEX tasks_by_live_token ON tasks (live_token);
    CREATE UNIQUE INDEX tasks_by_share_token ON tasks (share_token) WHERE share_token IS NOT NULL;
    CREATE INDEX tasks_at_work ON tasks (created_at) WHERE finished_at IS NULL;
    CREATE INDEX tasks_with_files ON tasks (finished_at)
        WHERE finished_at IS NOT NULL AND files_expired = 0;
    CREATE TABLE steps (task_id TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL,
        evaluation_previous_goal TEXT NOT NULL, next_goal TEXT NOT NULL, url TEXT NOT NULL,
        drawing TEXT, PRIMARY KEY (task_id, number));
    -- Sealed: the secrets of schedules and webhooks, the cookies of profiles and tasks.
    CREATE TABLE secrets (kind TEXT NOT NULL, key TEXT NOT NULL, body {blob} NOT NULL,
        PRIMARY KEY (kind, key));
    CREATE TABLE files (key TEXT PRIMARY KEY, size BIGINT NOT NULL, digest TEXT NOT NULL);
    -- In parts, so that a range of a large file is read without the rest of it.
    CREATE TABLE file_parts (key TEXT NOT NULL, number INTEGER NOT NULL, body {blob} NOT NULL,
        PRIMARY KEY (key, number));
    CREATE TABLE uploads (owner TEXT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL,
        uploaded_at TEXT NOT NULL, PRIMARY KEY (owner, name));
    CREATE TABLE profiles (id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL,
        fields TEXT NOT NULL);
    CREATE UNIQUE INDEX profiles_by_position ON profiles (owner, position);
    CREATE TABLE schedules (id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL,
        request TEXT NOT NULL, is_active INTEGER NOT NULL, start_at TEXT NOT NULL,
        end_at TEXT NOT NULL, next_run_at TEXT, created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL);
    CREATE UNIQUE INDEX schedules_by_position ON schedules (owner, position);
    CREATE INDEX schedules_by_next_run ON schedules (next_run_at) WHERE is_active = 1;
    -- The events for webhooks, in the order in which they are sent.
    CREATE TABLE outbox (number {serial}, id TEXT NOT NULL, webhook_id TEXT NOT NULL,
        address TEXT NOT NULL, task_id TEXT NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL,
        attempts TEXT NOT NULL, state TEXT NOT NULL);
    CREATE INDEX outbox_by_state ON outbox (state, address, task_id, number)
    """,
    # To version 3.
    """
    -- The account of the owner `default` pays for all; what each owner has spent of it, and
    -- may spend, are millionths of a cent as well.
    ALTER TABLE accounts ADD COLUMN spent BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE accounts ADD COLUMN budget BIGINT;
    ALTER TABLE accounts ADD COLUMN concurrency BIGINT;
    CREATE INDEX tasks_at_work_by_owner ON tasks (owner) WHERE finished_at IS NULL;
    CREATE TABLE api_keys (id TEXT PRIMARY KEY, owner TEXT NOT NULL, digest TEXT NOT NULL,
        scopes TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT,
        last_used_at TEXT);
    CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest);
    CREATE INDEX api_keys_by_owner ON api_keys (owner);
    CREATE TABLE audit_trail (number {serial}, at TEXT NOT NULL, key_id TEXT, name TEXT,
        call TEXT NOT NULL, subject TEXT, address TEXT, status INTEGER NOT NULL);
    CREATE INDEX audit_trail_by_time ON audit_trail (at);
    CREATE INDEX audit_trail_by_name ON audit_trail (name, number)
    """,
    # To version 4.
    """
    -- What another service does for a task, as JSON; null where this server does it.
    ALTER TABLE tasks ADD COLUMN remote TEXT;
    -- What a task needs to begin, until it begins; then which server carries it out.
    ALTER TABLE tasks ADD COLUMN assignment TEXT;
    ALTER TABLE tasks ADD COLUMN worker TEXT;
    CREATE INDEX tasks_at_work_by_worker ON tasks (worker) WHERE finished_at IS NULL
    """,
    # To version 5.
    """
    -- Where the servers that carry out tasks are reached, and when each said so last.
    CREATE TABLE nodes (worker TEXT PRIMARY KEY, url TEXT NOT NULL, seen_at TEXT NOT NULL);
    -- When a step was reported; null for those of older versions.
    ALTER TABLE steps ADD COLUMN taken_at TEXT
    """,
    # To version 6.
    """
    -- What the attempts of the latest deliveries sent and got back, as JSON.
    ALTER TABLE outbox ADD COLUMN exchanges TEXT;
    -- How many tasks a server carries out at once.
    ALTER TABLE nodes ADD COLUMN slots BIGINT;
    CREATE INDEX outbox_with_exchanges ON outbox (number) WHERE exchanges IS NOT NULL
    """,
    # To version 7.
    """
    -- The moment that the first picture of a task's recordings shows, if it is known.
    ALTER TABLE tasks ADD COLUMN recorded_from TEXT
    """,
    # To version 8.
    """
    -- The links for uploads that have been used, and the SHA-256 of what came, until they expire.
    CREATE TABLE used_links (id TEXT PRIMARY KEY, digest TEXT NOT NULL, expires BIGINT NOT NULL)
    """,
    # To version 9.
    """
    -- Whose task an event is about, and its place among the events of that owner. Of tasks that
    -- have been deleted nobody sees the events.
    ALTER TABLE outbox ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    ALTER TABLE outbox ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
    UPDATE outbox SET place = number,
        owner = COALESCE((SELECT tasks.owner FROM tasks WHERE tasks.id = outbox.task_id), '');
    DELETE FROM outbox WHERE owner = '' AND state <> 'pending';
    CREATE INDEX outbox_by_owner ON outbox (owner, place)
    """,
)

MIGRATIONS = tuple(tuple(each.strip() for each in text.split(";\n")) for text in _STATEMENTS)
"""What leads from each version to the next one, beginning with an empty file as version 1."""

SCHEMA_VERSION = 1 + len(MIGRATIONS)
"""The version of the tables; a file of a newer one is refused."""
