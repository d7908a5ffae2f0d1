"""The API key, held so that it cannot be seen by accident."""

from typing import NoReturn

from browser_use_async.errors import ConfigurationError

__all__ = ["Secret"]


class Secret:
    """A text that no repr, format or pickle shows; `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def hide(cls, text: str | None) -> "Secret | None":
        """Hide a text before anything can raise: tracebacks with locals show arguments."""
        return None if text is None else cls(text)

    def check_as_key(self) -> None:
        """Refuse a text that could not stand in an HTTP header as an API key.

        Raises:
            ConfigurationError: It could not. Never echoes it.
        """
        problem = _problem_of(self._text)
        if problem is not None:
            raise ConfigurationError(f"the API key {problem}; copy it again from the dashboard")

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the API key is not pickled; give it to the other process another way")


def _problem_of(key: object) -> str | None:
    if not isinstance(key, str):
        return f"must be a string, not {type(key).__name__}"
    if not key:
        return "is empty"
    if key[0] in "'\"" or key[-1] in "'\"":
        return "has quotation marks around it"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "has spaces, line breaks or characters outside ASCII"
    return None
