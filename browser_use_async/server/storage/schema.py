"""The tables, in statements that SQLite and PostgreSQL both understand."""

from browser_use_async.errors import ConfigurationError

SCHEMA_VERSION = 15
"""The version of the tables, the first one of a release; others are refused."""

_TABLES = """
-- Keys that the server makes for itself.
CREATE TABLE server_keys (name TEXT PRIMARY KEY, value {blob} NOT NULL);
-- Amounts are millionths of a cent. The account of the owner `default` pays for all: `spent` is
-- what each owner has spent of it, and `budget` what it may spend. `tasks` numbers the tasks of an
-- owner without gaps, the first `expired_tasks` of which have been deleted.
CREATE TABLE accounts (owner TEXT PRIMARY KEY, balance BIGINT NOT NULL, tasks BIGINT NOT NULL,
    expired_tasks BIGINT NOT NULL, spent BIGINT NOT NULL DEFAULT 0, budget BIGINT,
    concurrency BIGINT);
-- `assignment` is what the task needs to begin, until it begins: then `worker` is the server that
-- carries it out. `recorded_from` is the moment that the first picture of its recordings shows, if
-- it is known. `pauses` has the moments at which it was paused and went on, see `progress.py`.
CREATE TABLE tasks (id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL,
    task TEXT NOT NULL, created_at TEXT NOT NULL, metadata TEXT NOT NULL,
    viewport TEXT NOT NULL, save_browser_data INTEGER NOT NULL, included_file_names TEXT,
    live_token TEXT NOT NULL, share_token TEXT, llm_model TEXT NOT NULL,
    max_agent_steps INTEGER NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL,
    finished_at TEXT, takes_screenshots INTEGER NOT NULL, recordings TEXT NOT NULL,
    recorded_from TEXT, output TEXT, output_files TEXT NOT NULL, files_expired INTEGER NOT NULL,
    request TEXT NOT NULL, assignment TEXT, worker TEXT,
    pauses TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX tasks_by_position ON tasks (owner, position);
CREATE INDEX tasks_by_creation ON tasks (created_at, id);
CREATE UNIQUE INDEX tasks_by_live_token ON tasks (live_token);
CREATE UNIQUE INDEX tasks_by_share_token ON tasks (share_token) WHERE share_token IS NOT NULL;
CREATE INDEX tasks_at_work ON tasks (created_at) WHERE finished_at IS NULL;
CREATE INDEX tasks_at_work_by_owner ON tasks (owner) WHERE finished_at IS NULL;
CREATE INDEX tasks_at_work_by_worker ON tasks (worker) WHERE finished_at IS NULL;
CREATE INDEX tasks_with_files ON tasks (finished_at)
    WHERE finished_at IS NOT NULL AND files_expired = 0;
-- `trace` is what went on behind the step, as JSON, and `problems` how many errors it has.
CREATE TABLE steps (task_id TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL,
    evaluation_previous_goal TEXT NOT NULL, next_goal TEXT NOT NULL, url TEXT NOT NULL,
    taken_at TEXT NOT NULL, trace TEXT, problems INTEGER,
    PRIMARY KEY (task_id, number));
-- Sealed: the secrets of schedules and webhooks, the cookies of profiles and tasks.
CREATE TABLE secrets (kind TEXT NOT NULL, key TEXT NOT NULL, body {blob} NOT NULL,
    PRIMARY KEY (kind, key));
CREATE TABLE files (key TEXT PRIMARY KEY, size BIGINT NOT NULL, digest TEXT NOT NULL);
-- In parts, so that a range of a large file is read without the rest of it.
CREATE TABLE file_parts (key TEXT NOT NULL, number INTEGER NOT NULL, body {blob} NOT NULL,
    PRIMARY KEY (key, number));
CREATE TABLE uploads (owner TEXT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL,
    uploaded_at TEXT NOT NULL, PRIMARY KEY (owner, name));
-- The links for uploads that have been used, and the SHA-256 of what came, until they expire.
CREATE TABLE used_links (id TEXT PRIMARY KEY, digest TEXT NOT NULL, expires BIGINT NOT NULL);
-- The requests that were made with a submission key, for as long as what they created is there:
-- `answer` is what they were answered with, `digests` those of their fields, as JSON. A search
-- creates nothing, so it has a moment from which it may be deleted; until it has been answered,
-- its answer is empty.
CREATE TABLE submission_keys (owner TEXT NOT NULL, call TEXT NOT NULL, key TEXT NOT NULL,
    resource_id TEXT NOT NULL, answer TEXT NOT NULL, digests TEXT NOT NULL, expires_at TEXT,
    PRIMARY KEY (owner, call, key));
CREATE INDEX submission_keys_by_resource ON submission_keys (resource_id);
-- A version of a script is never changed; the counts are those of tasks that played it.
CREATE TABLE scripts (owner TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    origin TEXT NOT NULL, task_id TEXT, made_at TEXT NOT NULL,
    plays BIGINT NOT NULL DEFAULT 0, failures BIGINT NOT NULL DEFAULT 0,
    steps BIGINT NOT NULL DEFAULT 0, model_calls BIGINT NOT NULL DEFAULT 0,
    text TEXT NOT NULL, PRIMARY KEY (owner, name, version));
-- The task that records a script of which there is no version, and how many have tried.
CREATE TABLE script_recordings (owner TEXT NOT NULL, name TEXT NOT NULL, task_id TEXT NOT NULL,
    tries INTEGER NOT NULL, PRIMARY KEY (owner, name));
CREATE TABLE profiles (id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL,
    fields TEXT NOT NULL);
CREATE UNIQUE INDEX profiles_by_position ON profiles (owner, position);
CREATE TABLE schedules (id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL,
    request TEXT NOT NULL, is_active INTEGER NOT NULL, start_at TEXT NOT NULL,
    end_at TEXT NOT NULL, next_run_at TEXT, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL);
CREATE UNIQUE INDEX schedules_by_position ON schedules (owner, position);
CREATE INDEX schedules_by_next_run ON schedules (next_run_at) WHERE is_active = 1;
-- Which tasks a schedule has started.
CREATE TABLE schedule_runs (number {serial}, schedule_id TEXT NOT NULL, task_id TEXT NOT NULL);
CREATE INDEX schedule_runs_by_schedule ON schedule_runs (schedule_id, number);
CREATE INDEX schedule_runs_by_task ON schedule_runs (task_id);
-- The events for webhooks, in the order in which they are sent. `place` numbers those of an owner,
-- `exchanges` is what the attempts of the latest deliveries sent and got back, as JSON. `since` is
-- when the event was written, and `due` when it is sent again after an attempt that failed.
CREATE TABLE outbox (number {serial}, owner TEXT NOT NULL, place BIGINT NOT NULL, id TEXT NOT NULL,
    webhook_id TEXT NOT NULL, address TEXT NOT NULL, task_id TEXT NOT NULL, status TEXT NOT NULL,
    body TEXT NOT NULL, attempts TEXT NOT NULL, state TEXT NOT NULL, exchanges TEXT,
    since TEXT NOT NULL, due TEXT);
CREATE INDEX outbox_by_state ON outbox (state, address, task_id, number);
CREATE INDEX outbox_by_owner ON outbox (owner, place);
CREATE INDEX outbox_by_age ON outbox (since) WHERE state = 'pending';
CREATE INDEX outbox_by_due ON outbox (address, due) WHERE due IS NOT NULL;
CREATE INDEX outbox_with_exchanges ON outbox (number) WHERE exchanges IS NOT NULL;
CREATE TABLE api_keys (id TEXT PRIMARY KEY, owner TEXT NOT NULL, digest TEXT NOT NULL,
    scopes TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT,
    last_used_at TEXT);
CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest);
CREATE INDEX api_keys_by_owner ON api_keys (owner);
-- The servers of a fleet: where people's browsers reach each, how many tasks it carries out at
-- once, whether it keeps submission keys, and when it last said that it is there.
CREATE TABLE nodes (worker TEXT PRIMARY KEY, url TEXT NOT NULL, slots BIGINT NOT NULL,
    keeps_keys INTEGER NOT NULL, seen_at TEXT NOT NULL)
"""

TABLES = tuple(each.strip() for each in _TABLES.split(";\n"))
"""The statements that make the tables."""


def wrong_version(place: str, version: int) -> ConfigurationError:
    """The refusal of a database whose tables are of another version."""
    if version > SCHEMA_VERSION:
        return ConfigurationError(
            f"{place} was written by a newer version of this server (schema {version}; this one "
            f"knows {SCHEMA_VERSION}); upgrade browser-use-async, or name another database"
        )
    return ConfigurationError(
        f"{place} was written by a version before 1.0.0 (schema {version}; this one knows "
        f"{SCHEMA_VERSION}), whose data no release reads; name another database to start anew"
    )
