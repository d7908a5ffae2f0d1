"""An output stream: lines of text, and on a terminal colours and changing lines, by rich."""

import os
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TextIO

from rich.cells import cell_len, set_cell_size


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


Lines = Sequence[Sequence[Span]]


def text_of(span: Span) -> str:
    """The text of a span without its style."""
    return span if isinstance(span, str) else span[0]


def cut_at(text: str, columns: int) -> str:
    """The text, or as much of it as fits into some columns before an ellipsis."""
    if cell_len(text) <= columns:
        return text
    return f"{set_cell_size(text, columns - 1).rstrip()}…"


class Screen:
    """One output stream; a file, a pipe, `--plain` and a dumb terminal get lines of text only."""

    def __init__(self, stream: TextIO, *, plain: bool) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._rich = None
        # TERM=dumb: no control sequences, as in the shell of an editor.
        is_dumb = os.environ.get("TERM") in {"dumb", "unknown"}
        # FORCE_COLOR asks for colours in a pipe as well: https://force-color.org
        if not plain and not is_dumb and (self._is_terminal or os.environ.get("FORCE_COLOR")):
            # Imported on first use, since output to a pipe does not need it.
            from rich.console import Console as RichConsole  # noqa: PLC0415

            class Coloured(RichConsole):
                """A console whose reader may go, as of any other program."""

                def on_broken_pipe(self) -> None:
                    """Raise the `BrokenPipeError` that is handled, instead of a `SystemExit`."""
                    raise  # noqa: PLE0704

            # Some terminals without a size export 0 columns, in which rich would write nothing.
            columns = _columns() if os.environ.get("COLUMNS") == "0" else None
            self._rich = Coloured(
                file=stream,
                width=columns,
                highlight=False,
                force_terminal=True,
                force_interactive=self._is_terminal,
            )

    @property
    def width(self) -> int | None:
        """Columns, or None if lines may be of any length: a file or pipe has none."""
        if not self._is_terminal:
            return None
        return _columns() if self._rich is None else self._rich.width

    @property
    def is_interactive(self) -> bool:
        """Whether `status` and `live` show anything."""
        return self._is_terminal and self._rich is not None

    def write_line(self, spans: Sequence[Span]) -> None:
        """Write one line at once, above a spinner or live lines."""
        if self._rich is None:
            print("".join(map(text_of, spans)), file=self._stream, flush=True)
            return
        from rich.text import Text  # noqa: PLC0415

        # soft_wrap: a URL that is longer than the line stays one URL when it is copied.
        self._rich.print(Text.assemble(*spans), soft_wrap=True)

    @contextmanager
    def status(self, text: str) -> Generator[Callable[[str], None]]:
        """Show a spinner; the function that the block gets changes its text."""
        if self._rich is None or not self._is_terminal:
            yield lambda _text: None
            return
        from rich.text import Text  # noqa: PLC0415

        columns = self._rich.width - 3

        def spinning(text: str) -> Text:
            # A spinner of two lines would flicker, and rich wraps the text of one.
            return Text(cut_at(text, columns), style="dim")

        with self._rich.status(spinning(text)) as spinner:
            yield lambda new: spinner.update(spinning(new))

    @contextmanager
    def live(self) -> Generator[Callable[[Lines], None]]:
        """Show lines below all others until the end; the function of the block replaces them."""
        if self._rich is None or not self._is_terminal:
            yield lambda _lines: None
            return
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with Live(console=self._rich, transient=True) as display:

            def show(lines: Lines) -> None:
                text = Text("\n").join(Text.assemble(*line) for line in lines)
                # A wrapped line would change the height of the live area.
                text.no_wrap, text.overflow = True, "ellipsis"
                display.update(text)

            yield show


def _columns() -> int:
    return shutil.get_terminal_size().columns
