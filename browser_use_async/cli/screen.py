"""Output streams: plain text, or a terminal with colours and changing lines, which needs rich."""

import os
import shutil
import unicodedata
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from itertools import accumulate
from typing import Protocol, TextIO


class Style(StrEnum):
    """A style of text on a terminal with colours; the values are the names that rich uses."""

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


# A piece of a line: text, or text with a style.
Span = str | tuple[str, Style]


def text_of(span: Span) -> str:
    """The text of a span without its style."""
    return span if isinstance(span, str) else span[0]


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters and emoji have two."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cut_at(text: str, columns: int) -> str:
    """The text, or as much of it as fits into some columns before an ellipsis."""
    if columns_of(text) <= columns:
        return text
    kept = sum(end < columns for end in accumulate(map(_columns, text)))
    return f"{text[:kept]}…"


class Screen(Protocol):
    """One output stream."""

    @property
    def width(self) -> int | None:
        """Columns, or None if lines may be of any length."""
        ...

    @property
    def is_interactive(self) -> bool:
        """Whether `status` and `live` show anything."""
        ...

    def write_line(self, spans: Sequence[Span]) -> None:
        """Write one line."""
        ...

    def status(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Show a spinner; the function that the block gets changes its text."""
        ...

    def live(self) -> AbstractContextManager[Callable[[Sequence[Sequence[Span]]], None]]:
        """Show lines below all others; the function that the block gets replaces them."""
        ...


class PlainScreen:
    """A stream that gets lines of text only: a file, a pipe or `--plain`."""

    is_interactive = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def width(self) -> int | None:
        """Columns of the terminal; a file or pipe has none."""
        return shutil.get_terminal_size().columns if self._stream.isatty() else None

    def write_line(self, spans: Sequence[Span]) -> None:
        """Write one line at once."""
        print("".join(map(text_of, spans)), file=self._stream, flush=True)

    @contextmanager
    def status(self, text: str) -> Generator[Callable[[str], None], None, None]:
        """Show nothing: a spinner needs a terminal with control sequences."""
        yield lambda _text: None

    @contextmanager
    def live(self) -> Generator[Callable[[Sequence[Sequence[Span]]], None], None, None]:
        """Show nothing, for the same reason."""
        yield lambda _lines: None


class RichScreen:
    """A terminal that rich writes to, or a stream that `FORCE_COLOR` gives colours.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self, stream: TextIO) -> None:
        # Imported on first use: rich is optional, and output to a pipe need not wait for it.
        from rich.console import Console as RichConsole  # noqa: PLC0415

        # What is no terminal gets no control sequences but those of colours.
        self.is_interactive = stream.isatty()
        # Some terminals without a size export 0 columns, in which rich would write nothing.
        width = shutil.get_terminal_size().columns if os.environ.get("COLUMNS") == "0" else None
        self._console = RichConsole(
            file=stream,
            width=width,
            highlight=False,
            force_terminal=True,
            force_interactive=stream.isatty(),
        )

    @property
    def width(self) -> int | None:
        """Columns of the terminal; a file or pipe has none."""
        return self._console.width if self.is_interactive else None

    def write_line(self, spans: Sequence[Span]) -> None:
        """Write one line, above a spinner or live lines."""
        from rich.text import Text  # noqa: PLC0415

        # soft_wrap: a URL that is longer than the line stays one URL when it is copied.
        self._console.print(Text.assemble(*spans), soft_wrap=True)

    @contextmanager
    def status(self, text: str) -> Generator[Callable[[str], None], None, None]:
        """Show a spinner with a text that can be changed."""
        if not self.is_interactive:
            yield lambda _text: None
            return
        from rich.text import Text  # noqa: PLC0415

        def spinning(text: str) -> Text:
            # A spinner of two lines would flicker, and rich wraps the text of one.
            return Text(cut_at(text, self._console.width - 3), style="dim")

        with self._console.status(spinning(text)) as spinner:
            yield lambda new: spinner.update(spinning(new))

    @contextmanager
    def live(self) -> Generator[Callable[[Sequence[Sequence[Span]]], None], None, None]:
        """Show lines below all others, which go away at the end."""
        if not self.is_interactive:
            yield lambda _lines: None
            return
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with Live(console=self._console, transient=True) as display:

            def show(lines: Sequence[Sequence[Span]]) -> None:
                text = Text("\n").join(Text.assemble(*line) for line in lines)
                # A wrapped line would change the height of the live area.
                text.no_wrap, text.overflow = True, "ellipsis"
                display.update(text)

            yield show


def open_screen(stream: TextIO, *, plain: bool) -> Screen:
    """The best screen for a stream: rich for a terminal where rich is installed."""
    # So calls itself what obeys no control sequence, such as the shell of an editor.
    is_dumb = os.environ.get("TERM") in {"dumb", "unknown"}
    # Set to anything but nothing it asks for colours in a pipe as well: https://force-color.org
    if plain or is_dumb or not (stream.isatty() or os.environ.get("FORCE_COLOR")):
        return PlainScreen(stream)
    try:
        return RichScreen(stream)
    except ImportError:  # rich is an optional dependency
        return PlainScreen(stream)
