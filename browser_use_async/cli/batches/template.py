"""A task's text with places that the columns of a row fill: `Find {company}'s head office`."""

import re
from collections.abc import Mapping

import attrs

from browser_use_async.errors import ConfigurationError

__all__ = ["Template"]

_PIECE = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[^{}]+)\}|(?P<alone>[{}])")


@attrs.frozen
class Template:
    """A text with places."""

    text: str  # the text, in which a brace that stands for itself is written twice
    names: tuple[str, ...]  # the columns that fill its places, each once

    @classmethod
    def read(cls, text: str) -> "Template":
        """Read a template.

        Raises:
            ConfigurationError: A brace stands alone, or nothing is to be filled.
        """
        pieces = list(_PIECE.finditer(text))
        if any(piece["alone"] for piece in pieces):
            raise ConfigurationError(
                "--template: a brace stands alone; write {column} for the value of a column, and "
                "{{ or }} for a brace"
            )
        names = tuple(dict.fromkeys(piece["name"] for piece in pieces if piece["name"]))
        if not names:
            raise ConfigurationError(
                "--template has no {column} in it, so that every row would be the same task"
            )
        return cls(text, names)

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with a value in each place."""
        return _PIECE.sub(
            lambda piece: piece["brace"][0] if piece["brace"] else values[piece["name"]], self.text
        )
