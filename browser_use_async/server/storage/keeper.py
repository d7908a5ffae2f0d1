"""What the server's stores ask of whatever outlives a restart."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self

import attrs


@attrs.frozen
class FileFacts:
    """What a file is known by without its bytes."""

    size: int  # in bytes
    digest: str  # SHA-256 in hexadecimal digits

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The facts of a content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


class Keeper(Protocol):
    """Keeps JSON documents and files by kind and key, in the order in which they came.

    Each call is durable when it returns, against the death of the process.
    """

    @property
    def secrets_refused(self) -> str | None:
        """Why secrets cannot be kept, in a sentence for whoever sent one, or None if they can."""
        ...

    def keep(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Keep a document, in place of the one under the same key."""

    def keep_secret(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Keep a document that nobody can read without the operator's key.

        It is not kept, which is logged, if `secrets_refused` gives a reason.
        """

    def keep_file(self, kind: str, key: str, content: bytes) -> None:
        """Keep the bytes of a file, in place of those under the same key."""

    def forget(self, kind: str, key: str) -> None:
        """Forget the document, the secret and the file under a key, if there are any."""

    def forget_secret(self, kind: str, key: str) -> None:
        """Forget the secret under a key, if there is one, and nothing else."""

    def documents(self, kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """All documents of a kind, oldest first, as they were kept before the server started."""
        ...

    def secrets(self, kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """All secrets of a kind, oldest first, as they were kept before the server started."""
        ...

    def file(self, kind: str, key: str) -> bytes | None:
        """The bytes of a file, or None."""

    def file_facts(self, kind: str, key: str) -> FileFacts | None:
        """Size and digest of a file, without reading it, or None."""

    def file_part(self, kind: str, key: str, part: range) -> bytes:
        """Some consecutive bytes of a file that is there, without reading the others."""
        ...

    def close(self) -> None:
        """Release whatever is held."""


class MemoryKeeper:
    """Keeps files for as long as the server lives; a server without a database has no past.

    Documents are not kept: the stores have them in memory themselves.
    """

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], bytes] = {}
        self._facts: dict[tuple[str, str], FileFacts] = {}  # of files that were asked for

    @property
    def secrets_refused(self) -> str | None:
        """Nothing is refused, because nothing is written to a disk."""
        return None

    def keep(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Nothing outlives this server."""

    def keep_secret(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Nothing outlives this server."""

    def keep_file(self, kind: str, key: str, content: bytes) -> None:
        """Hold the bytes."""
        self._files[kind, key] = content
        self._facts.pop((kind, key), None)

    def forget(self, kind: str, key: str) -> None:
        """Let go of the bytes."""
        self._files.pop((kind, key), None)
        self._facts.pop((kind, key), None)

    def forget_secret(self, kind: str, key: str) -> None:
        """There is nothing to forget."""

    def documents(self, kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """There is no past."""
        return ()

    def secrets(self, kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """There is no past."""
        return ()

    def file(self, kind: str, key: str) -> bytes | None:
        """The bytes, if this server was given them."""
        return self._files.get((kind, key))

    def file_facts(self, kind: str, key: str) -> FileFacts | None:
        """Size and digest, which is computed once."""
        content = self._files.get((kind, key))
        if content is None:
            return None
        if (kind, key) not in self._facts:
            self._facts[kind, key] = FileFacts.of(content)
        return self._facts[kind, key]

    def file_part(self, kind: str, key: str, part: range) -> bytes:
        """A copy of these bytes."""
        return self._files[kind, key][part.start : part.stop]

    def close(self) -> None:
        """There is nothing to release."""
