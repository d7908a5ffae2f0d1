"""Documents with secrets, encrypted in the database."""

import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.secrets.encryption import (
    KEY_VARIABLE,
    Seal,
    missing_for_encryption,
    seal_from_environment,
)
from browser_use_async.server.storage.database import Database

_logger = logging.getLogger(__name__)


class Secrets:
    """Documents that are encrypted with the operator's key.

    Without a key they are kept in memory until the server ends. A database in memory needs no key.
    If the key cannot decrypt the secrets of a database, `open` raises ConfigurationError.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.seal: Seal | None = None
        """The cipher of the operator's key, or None without a key."""
        self._unsealed: dict[tuple[str, str], bytes] = {}

    async def open(self) -> None:
        """Set up the key, and check that it decrypts the stored secrets."""
        if not self._database.is_kept:
            return
        self.seal = seal_from_environment(await server_key(self._database, "salt", 16))
        await self._check()

    async def leave_check(self) -> None:
        """Let a second server compare its key, even if there are no secrets yet.

        Raises:
            ConfigurationError: There is no key, or another server has another one.
        """
        if self.seal is None:
            raise ConfigurationError(
                f"servers that share {self._database.place} hand each other tasks with their "
                f"secrets, which need a key of all of them: {missing_for_encryption()}"
            )
        check = {"kind": "check", "key": "", "body": self.seal.close("check", "", {})}
        await self._database.insert("secrets", check, "ON CONFLICT DO NOTHING")
        await self._check()  # another server may have been first

    @property
    def refusal(self) -> str | None:
        """The reason why secrets cannot be stored, as a sentence for the client, or None."""
        if not self._database.is_kept or self.seal is not None:
            return None
        return f"Secrets cannot be kept in the server's database: {missing_for_encryption()}"

    async def put(self, at: Database, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Store a document, in place of the one with the same key."""
        if self.refusal is not None:
            _logger.warning("the secrets of %s %s are not kept: %s", kind, key, self.refusal)
            self._unsealed[kind, key] = json.dumps(document).encode()
            return
        body = self._closed(kind, key, document)
        await at.put("secrets", "kind, key", {"kind": kind, "key": key, "body": body})

    async def get(self, kind: str, key: str, at: Database | None = None) -> dict[str, Any] | None:
        """Return a document, or None."""
        if (kind, key) in self._unsealed:
            return self._opened(kind, key, self._unsealed[kind, key])
        statement = "SELECT body FROM secrets WHERE kind = :kind AND key = :key"
        body = await (at or self._database).value(statement, kind=kind, key=key)
        return None if body is None else self._opened(kind, key, body)

    async def all(self, kind: str, at: Database | None = None) -> dict[str, dict[str, Any]]:
        """Return all documents of a kind, by key."""
        statement = "SELECT key, body FROM secrets WHERE kind = :kind"
        found = await (at or self._database).rows(statement, kind=kind)
        unsealed = [(key, body) for (of, key), body in self._unsealed.items() if of == kind]
        return {key: self._opened(kind, key, body) for key, body in (*found, *unsealed)}

    async def delete(self, at: Database, kind: str, key: str) -> None:
        """Delete a document if it exists."""
        self._unsealed.pop((kind, key), None)
        await at.delete("secrets", kind=kind, key=key)

    def _closed(self, kind: str, key: str, document: Mapping[str, Any]) -> bytes:
        seal = self.seal
        return json.dumps(document).encode() if seal is None else seal.close(kind, key, document)

    def _opened(self, kind: str, key: str, body: bytes) -> dict[str, Any]:
        document: dict[str, Any]
        document = json.loads(body) if self.seal is None else self.seal.open(kind, key, body)
        return document

    async def _check(self) -> None:
        """Check at the start, before a schedule runs, that the key decrypts the secrets."""
        found = await self._database.first("SELECT kind, key, body FROM secrets LIMIT 1")
        if found is None:
            return
        if self.seal is None:
            raise ConfigurationError(
                f"{self._database.place} has secrets sealed under {KEY_VARIABLE}, but "
                f"{missing_for_encryption()}; start the server with what it had when "
                "they were sealed"
            )
        self.seal.open(*found)


async def server_key(database: Database, name: str, size: int) -> bytes:
    """Return a key that the server creates at its first start and keeps in the database."""
    new = {"name": name, "value": secrets.token_bytes(size)}
    await database.insert("server_keys", new, "ON CONFLICT DO NOTHING")
    statement = "SELECT value FROM server_keys WHERE name = :name"
    value: bytes = await database.value(statement, name=name)
    return value
