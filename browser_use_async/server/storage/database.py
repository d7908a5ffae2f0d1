"""What outlives a restart, in one SQLite file that one server owns."""

import json
import logging
import os
import secrets
import sqlite3
import stat
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.storage.keeper import FileFacts, Keeper, MemoryKeeper
from browser_use_async.server.storage.sealing import (
    KEY_VARIABLE,
    missing_for_sealing,
    seal_from_environment,
)

SCHEMA_VERSION = 1
"""The version of the tables; a file of a newer one is refused."""

_APPLICATION = 0x62757365  # "buse", by which SQLite's header names the program of a file
_FACTS = "file_facts"
_logger = logging.getLogger(__name__)

_TABLES = """
CREATE TABLE document (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE TABLE secret (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (kind, key)
);
CREATE TABLE file (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (kind, key)
);
"""

# A document that is kept again stays where it came first.
_KEEP = (
    "INSERT INTO {} (kind, key, body) VALUES (?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"
)
_ALL = "SELECT key, body FROM {} WHERE kind = ? ORDER BY position"
_ONE = "SELECT body FROM {} WHERE kind = ? AND key = ?"
_FORGET = "DELETE FROM {} WHERE kind = ? AND key = ?"


def open_keeper(database: str | os.PathLike[str]) -> Keeper:
    """The keeper of a server.

    Raises:
        ConfigurationError: The file cannot be used.
    """
    return MemoryKeeper() if database == ":memory:" else SqliteKeeper(Path(database))


class SqliteKeeper:
    """A `Keeper` on a file that no other process can open meanwhile.

    Each call is one transaction, written to the log of the file when it returns.

    Raises:
        ConfigurationError: The file cannot be made, read or written, is in use, damaged, of a
            newer version or of another program, or holds secrets that the key does not open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _make_private(path)
        self._connection = sqlite3.connect(
            # A server may be made in one thread and run in another, but never in two at once.
            path,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        # A server that is made and never started is not closed by anybody else.
        self._closing = weakref.finalize(self, self._connection.close)
        try:
            self._prepare()
            self._seal = seal_from_environment(self._salt())
            self._check_secrets()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise ConfigurationError(_explanation(path, error)) from error
        except ConfigurationError:
            self.close()
            raise

    @property
    def secrets_refused(self) -> str | None:
        """Why secrets cannot be kept, or None."""
        if self._seal is not None:
            return None
        return f"Secrets cannot be kept in the server's database: {missing_for_sealing()}"

    def keep(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Keep a document."""
        self._execute(_KEEP.format("document"), kind, key, json.dumps(document))

    def keep_secret(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Keep a sealed document, or log that it is not kept."""
        if self._seal is None:
            _logger.warning(
                "what %s %s holds in secret is not kept: %s", kind, key, self.secrets_refused
            )
            return
        sealed = self._seal.close(kind, key, document)
        self._execute(_KEEP.format("secret"), kind, key, sealed)

    def keep_file(self, kind: str, key: str, content: bytes) -> None:
        """Keep a file."""
        with self._connection:
            self._execute("BEGIN")
            self._execute(_KEEP.format("file"), kind, key, content)
            self._keep_facts(kind, key, FileFacts.of(content))

    def forget(self, kind: str, key: str) -> None:
        """Forget all that is under a key."""
        with self._connection:
            self._execute("BEGIN")
            for table in ("document", "secret", "file"):
                self._execute(_FORGET.format(table), kind, key)
            self._execute(_FORGET.format("document"), _FACTS, f"{kind}/{key}")

    def forget_secret(self, kind: str, key: str) -> None:
        """Forget a sealed document."""
        self._execute(_FORGET.format("secret"), kind, key)

    def documents(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """All documents of a kind, oldest first."""
        for key, body in self._execute(_ALL.format("document"), kind):
            yield key, json.loads(body)

    def secrets(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """All sealed documents of a kind, opened, oldest first."""
        for key, body in self._execute(_ALL.format("secret"), kind):
            assert self._seal is not None  # a file with secrets does not open without
            yield key, self._seal.open(kind, key, body)

    def file(self, kind: str, key: str) -> bytes | None:
        """The bytes of a file, or None."""
        row = self._execute(_ONE.format("file"), kind, key)
        found: tuple[bytes] | None = row.fetchone()
        return found and found[0]

    def file_facts(self, kind: str, key: str) -> FileFacts | None:
        """Size and digest of a file, as they were kept with it, or None."""
        row = self._execute(_ONE.format("document"), _FACTS, f"{kind}/{key}").fetchone()
        if row is not None:
            return FileFacts(**json.loads(row[0]))
        content = self.file(kind, key)
        if content is None:
            return None
        facts = FileFacts.of(content)  # a file of a version that kept no facts
        self._keep_facts(kind, key, facts)
        return facts

    def file_part(self, kind: str, key: str, part: range) -> bytes:
        """Some bytes of a file."""
        statement = "SELECT position FROM file WHERE kind = ? AND key = ?"
        position: int = self._execute(statement, kind, key).fetchone()[0]
        with self._connection.blobopen("file", "body", position, readonly=True) as blob:
            blob.seek(part.start)
            return blob.read(len(part))

    def _keep_facts(self, kind: str, key: str, facts: FileFacts) -> None:
        document = json.dumps(attrs.asdict(facts))
        self._execute(_KEEP.format("document"), _FACTS, f"{kind}/{key}", document)

    def close(self) -> None:
        """Write the log back into the file and let go of it."""
        self._closing()

    def _execute(self, statement: str, *values: str | bytes) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def _pragma(self, name: str) -> Any:
        return self._execute(f"PRAGMA {name}").fetchone()[0]

    def _prepare(self) -> None:
        # One owner: no shared memory file, and no second server that runs the same schedules.
        self._execute("PRAGMA locking_mode = EXCLUSIVE")
        self._execute("PRAGMA temp_store = MEMORY")
        application, version = self._pragma("application_id"), self._pragma("user_version")
        if application != _APPLICATION and self._pragma("schema_version"):
            raise ConfigurationError(f"{self._path} is the database of another program")
        if version > SCHEMA_VERSION:
            raise ConfigurationError(
                f"{self._path} was written by a newer version of this server (schema {version}; "
                f"this one knows {SCHEMA_VERSION}); upgrade browser-use-async, or name another file"
            )
        if self._pragma("quick_check(1)") != "ok":
            raise sqlite3.DatabaseError("the check of its pages failed")
        # Only now: until here the file might have been somebody else's.
        self._path.chmod(0o600)
        self._execute("PRAGMA journal_mode = WAL")
        # Loses nothing when the process dies; the last moments may be lost when the power does.
        self._execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            self._connection.executescript(
                f"BEGIN EXCLUSIVE; {_TABLES} PRAGMA application_id = {_APPLICATION}; "
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT"
            )
        else:
            # Takes the lock that is then held until the end.
            self._connection.executescript("BEGIN EXCLUSIVE; COMMIT")

    def _salt(self) -> bytes:
        salt = self.file("server", "salt")
        if salt is None:
            salt = secrets.token_bytes(16)
            self.keep_file("server", "salt", salt)
        return salt

    def _check_secrets(self) -> None:
        """Find out now, not at the first run of a schedule, whether the key opens the secrets."""
        row = self._execute("SELECT kind, key, body FROM secret LIMIT 1").fetchone()
        if row is None:
            return
        if self._seal is None:
            raise ConfigurationError(
                f"{self._path} holds secrets sealed under {KEY_VARIABLE}, but "
                f"{missing_for_sealing()}"
            )
        self._seal.open(*row)


def _make_private(path: Path) -> None:
    """Make the file, which SQLite would make readable for everybody."""
    try:
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        elif not stat.S_ISREG(path.stat().st_mode):
            raise ConfigurationError(f"the database {path} is not a file")
    except FileExistsError:
        pass  # another server makes it at this moment; one of the two will get the lock
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the database {path} cannot be used: {error}") from error


def _explanation(path: Path, error: sqlite3.Error | OSError) -> str:
    if isinstance(error, OSError):
        return f"the database {path} cannot be used: {error}"
    # The extended codes hold the plain one in their last byte.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"the database {path} is in use by another server; each needs a file of its own"
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return (
            f"{path} is damaged or no database of this server ({error}); restore it from a copy, "
            "or name another file"
        )
    return f"the database {path} cannot be used: {error}"
