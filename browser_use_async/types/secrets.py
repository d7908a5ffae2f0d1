"""Values that must not be seen in reprs, logs, tracebacks or pickles."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from browser_use_async.errors import ConfigurationError


class Secret:
    """A text that no repr, format or pickle shows; `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def hide(cls, text: str | None) -> "Secret | None":
        """Hide a text before anything can raise: tracebacks with locals show arguments."""
        return None if text is None else cls(text)

    def check_as_key(self, name: str = "the API key") -> None:
        """Raise `ConfigurationError`, without echoing the text, if it cannot be an API key."""
        problem = _key_problem(self._text)
        if problem is not None:
            raise ConfigurationError(f"{name} {problem}; copy it again from the dashboard")

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the API key is not pickled; give it to the other process another way")


def _key_problem(key: object) -> str | None:
    if not isinstance(key, str):
        return f"must be a string, not {type(key).__name__}"
    if not key:
        return "is empty"
    # Copied with the quotation marks of a shell or of an .env file.
    if key[0] in "'\"" or key[-1] in "'\"":
        return "has quotation marks around it"
    # The key becomes part of a header: a line break in it would start another header.
    if not key.isascii() or not key.isprintable() or " " in key:
        return "has spaces, line breaks or characters outside ASCII"
    return None


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
