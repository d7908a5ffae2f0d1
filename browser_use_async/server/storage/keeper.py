"""What the server's stores ask of whatever outlives a restart."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

__all__ = ["Keeper", "MemoryKeeper"]


class Keeper(Protocol):
    """Keeps JSON documents and files by kind and key, in the order in which they came.

    Each call is durable when it returns, against the death of the process.
    """

    def keep(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Keep a document, in place of the one under the same key.

        Args:
            kind: What it is, such as `task` or `schedule`.
            key: Its key among its kind.
            document: Plain JSON.
        """

    def keep_file(self, kind: str, key: str, content: bytes) -> None:
        """Keep the bytes of a file, in place of those under the same key.

        Args:
            kind: What it is, such as `upload` or `screenshot`.
            key: Its key among its kind.
            content: Its bytes.
        """

    def forget(self, kind: str, key: str) -> None:
        """Forget the document and the file under a key, if there are any.

        Args:
            kind: What it is.
            key: Its key among its kind.
        """

    def documents(self, kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """All documents of a kind, oldest first, as they were kept before the server started.

        Args:
            kind: What they are.
        """

    def file(self, kind: str, key: str) -> bytes | None:
        """The bytes of a file, or None.

        Args:
            kind: What it is.
            key: Its key among its kind.
        """

    def close(self) -> None:
        """Release whatever is held."""


class MemoryKeeper:
    """Keeps nothing: the stores have it all in memory, and a server without a file has no past."""

    def keep(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Nothing outlives this server."""

    def keep_file(self, kind: str, key: str, content: bytes) -> None:
        """Nothing outlives this server."""

    def forget(self, kind: str, key: str) -> None:
        """There is nothing to forget."""

    def documents(self, kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """There is no past."""
        return ()

    def file(self, kind: str, key: str) -> bytes | None:
        """There is no past."""
        return None

    def close(self) -> None:
        """There is nothing to release."""
