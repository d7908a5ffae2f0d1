"""What a backup must be: a database that is whole, with whole tasks and files in it."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from browser_use_async.server.storage.records import output_key

__all__ = ["names_in", "tasks_of"]


def names_in(folder: Path) -> list[str]:
    """The names of what is in a folder, in order."""
    return sorted(each.name for each in folder.iterdir())


def tasks_of(copy: Path) -> set[str]:
    """The ids of the tasks in a copy, all of which are whole."""
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as database:
        read = database.execute
        assert read("PRAGMA integrity_check").fetchall() == [("ok",)]
        files = dict(read("SELECT key, digest FROM files"))
        for key, digest in files.items():
            parts = read("SELECT body FROM file_parts WHERE key = ? ORDER BY number", (key,))
            assert hashlib.sha256(b"".join(body for (body,) in parts)).hexdigest() == digest
        tasks = read("SELECT id, finished_at, output_files FROM tasks").fetchall()
        for task_id, finished_at, names in tasks:
            count, last = read(
                "SELECT COUNT(*), COALESCE(MAX(number), 0) FROM steps WHERE task_id = ?", (task_id,)
            ).fetchone()
            assert count == last
            assert finished_at or names == "[]"
            assert all(
                output_key(task_id, place) in files for place in range(len(json.loads(names)))
            )
        counted = "SELECT COUNT(*), MAX(position) FROM tasks WHERE owner = ?"
        for owner, count in read("SELECT owner, tasks FROM accounts").fetchall():
            assert read(counted, (owner,)).fetchone() == (count, count or None)
        return {task_id for task_id, *_ in tasks}
