"""Where the command line writes: words for people to stderr, results as JSON to stdout."""

import io
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from importlib import import_module
from typing import Any, Protocol, TextIO, cast

__all__ = ["Console", "PlainScreen", "Screen", "Span", "Style", "json_text", "printable"]


class Style(StrEnum):
    """How a piece of text looks where colours are shown, in the words of rich."""

    PLAIN = ""
    STRONG = "bold"
    FAINT = "dim"
    GOOD = "green"
    BAD = "red"
    WAITING = "yellow"
    LINK = "underline"
    CYAN = "cyan"
    MAGENTA = "magenta"
    BLUE = "bright_blue"


Span = str | tuple[str, Style]
"""A piece of a line: text, or text with a style."""

_NARROWEST_TEXT = 30
# Raw in a terminal, these steer it; escaped, they are the same JSON.
_STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Text from elsewhere without characters that could steer a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON without characters that could steer a terminal, or that some take for a line's end."""
    return _STEERING.sub(_escaped, json.dumps(value, ensure_ascii=ascii_only, indent=indent))


class Screen(Protocol):
    """One output stream."""

    @property
    def width(self) -> int | None:
        """Columns, or None if lines may be of any length."""
        ...

    def line(self, spans: Sequence[Span]) -> None:
        """Write one line."""
        ...

    def working(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Show that something is under way; what is given changes the text."""
        ...

    def board(self) -> AbstractContextManager[Callable[[Sequence[Sequence[Span]]], None]]:
        """Show lines below all others; what is given takes their place."""
        ...


class PlainScreen:
    """A stream that gets text and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def width(self) -> int | None:
        """Columns of the terminal; a file or pipe has none."""
        return shutil.get_terminal_size().columns if self._stream.isatty() else None

    def line(self, spans: Sequence[Span]) -> None:
        """Write one line at once."""
        print("".join(map(_text, spans)), file=self._stream, flush=True)

    @contextmanager
    def working(self, text: str) -> Generator[Callable[[str], None], None, None]:
        """Show nothing: lines that change need a terminal that can be steered."""
        yield lambda _text: None

    @contextmanager
    def board(self) -> Generator[Callable[[Sequence[Sequence[Span]]], None], None, None]:
        """Show nothing, for the same reason."""
        yield lambda _lines: None


class Console:
    """Both streams."""

    def __init__(
        self, *, plain: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self._stdout: TextIO = stdout or sys.stdout
        words: TextIO = stderr or sys.stderr
        for stream in (self._stdout, words):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        self._words = _screen_on(words, plain=plain)
        self._results = _screen_on(self._stdout, plain=plain)

    @property
    def results_are_read_by_people(self) -> bool:
        """Whether stdout is a terminal."""
        return self._stdout.isatty()

    @property
    def can_change_lines(self) -> bool:
        """Whether `working` shows anything: it needs a terminal that can be steered."""
        return not isinstance(self._words, PlainScreen)

    def say(self, *spans: Span) -> None:
        """Write a line for the person who looks on."""
        self._words.line([_cleaned(span) for span in spans])

    def item(self, prefix: Sequence[Span], text: str, style: Style = Style.PLAIN) -> None:
        """Write text behind a prefix, wrapped so that the prefix stands alone in its columns."""
        indent = sum(len(_text(span)) for span in prefix)
        lines = self._wrapped(text, indent)
        self.say(*prefix, (lines[0], style))
        for line in lines[1:]:
            self.say(" " * indent, (line, style))

    def failure(self, text: str) -> None:
        """Write what went wrong."""
        self.item([("error: ", Style.BAD)], text)

    def working(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Show that something is under way, until the `with` block ends."""
        return self._words.working(text)

    @contextmanager
    def board(self) -> Generator[Callable[[Sequence[Sequence[Span]]], None], None, None]:
        """Show lines below all others, until the `with` block ends.

        Call what the block is given with lines to show them in place of those before.
        """
        with self._words.board() as show:
            yield lambda lines: show([[_cleaned(span) for span in line] for line in lines])

    def emit(self, value: Any) -> None:
        """Write a result to stdout, as JSON: one line in a pipe, indented on a terminal."""
        is_unicode = (self._stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
        indent = 2 if self.results_are_read_by_people else None
        text = json_text(value, indent=indent, ascii_only=not is_unicode)
        print(text, file=self._stdout, flush=True)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[Span]]) -> None:
        """Write aligned columns to stdout; the last one is cut where the terminal ends."""
        cells = [[_cleaned(cell) for cell in row] for row in rows]
        lines: list[list[Span]] = [[(each, Style.STRONG) for each in headings], *cells]
        widths = [max(len(_text(line[place])) for line in lines) for place in range(len(headings))]
        for line in lines:
            padded = [_padded(cell, width + 2) for cell, width in zip(line, widths, strict=True)]
            used = sum(len(_text(cell)) for cell in padded[:-1])
            self._results.line([*padded[:-1], _shortened(line[-1], self._results.width, used)])

    def _wrapped(self, text: str, indent: int) -> list[str]:
        flat = " ".join(text.split())
        if self._words.width is None:
            return [flat]
        width = max(self._words.width - indent, _NARROWEST_TEXT)
        return textwrap.wrap(flat, width, break_on_hyphens=False) or [""]


def _screen_on(stream: TextIO, *, plain: bool) -> Screen:
    if plain or not stream.isatty():
        return PlainScreen(stream)
    try:
        # Only here, so that nobody who does not look at a terminal pays for it or needs it.
        rich_screen: Any = import_module("browser_use_async.cli.rich_screen")
    except ImportError:
        return PlainScreen(stream)
    return cast("Screen", rich_screen.RichScreen(stream))


def _text(span: Span) -> str:
    return span if isinstance(span, str) else span[0]


def _cleaned(span: Span) -> Span:
    return printable(span) if isinstance(span, str) else (printable(span[0]), span[1])


def _padded(cell: Span, width: int) -> Span:
    return cell.ljust(width) if isinstance(cell, str) else (cell[0].ljust(width), cell[1])


def _shortened(cell: Span, width: int | None, used: int) -> Span:
    text = _text(cell)
    if width is not None and used + len(text) > width:
        text = text[: max(width - used - 1, 0)] + "…"
    return text if isinstance(cell, str) else (text, cell[1])


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
