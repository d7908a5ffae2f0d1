"""Values that must not be seen in reprs, logs, tracebacks or pickles."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn
from urllib.parse import urlsplit


class SecretMapping(Mapping[str, str]):
    """A read-only mapping that shows its names and never its values, and refuses to be pickled."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: '***'" for name in self._values) + "}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("task secrets are not pickled; fetch them again where they are needed")


def hidden_url(value: str | None) -> str:
    """The repr of a URL that grants access: its host only."""
    if value is None:
        return "None"
    try:
        parts = urlsplit(value)
    except ValueError:
        return "'***'"
    # Of what is no web address any part may be the secret.
    if parts.scheme not in {"http", "https", "ws", "wss"}:
        return "'***'"
    return f"'{parts.scheme}://{parts.netloc.rpartition('@')[2]}/***'"


def hidden_urls(values: Sequence[str]) -> str:
    """The repr of a list of URLs that grant access."""
    return "[" + ", ".join(map(hidden_url, values)) + "]"
