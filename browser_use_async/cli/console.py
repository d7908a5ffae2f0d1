"""Console output: messages for people to stderr, results as JSON to stdout."""

import io
import json
import logging
import re
import sys
import textwrap
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from browser_use_async.cli.screen import PlainScreen, Span, Style, open_screen, text_of

_NARROWEST_TEXT = 30
# Control characters, bidirectional overrides, line separators and lone surrogates: harmful raw in
# a terminal or a log; escaped they are the same JSON.
_STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Untrusted text with control characters replaced, which a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON text with terminal control characters and Unicode line separators escaped."""
    return _STEERING.sub(_escaped, json.dumps(value, ensure_ascii=ascii_only, indent=indent))


class Console:
    """Messages to stderr, and results to stdout."""

    def __init__(
        self, *, plain: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self._stdout: TextIO = stdout or sys.stdout
        errors: TextIO = stderr or sys.stderr
        for stream in (self._stdout, errors):
            # An old encoding must not turn output about a task, already paid for, into a traceback.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        self._err = open_screen(errors, plain=plain)
        self._show_status: Callable[[str], None] | None = None  # of the spinner, if there is one
        self._status_text = ""
        self.notice: str | None = None
        self._out = open_screen(self._stdout, plain=plain)

    @property
    def stdout_is_tty(self) -> bool:
        """Whether stdout is a terminal."""
        return self._stdout.isatty()

    @property
    def is_interactive(self) -> bool:
        """Whether `status` and `live` show anything on stderr."""
        return not isinstance(self._err, PlainScreen)

    def info(self, *spans: Span) -> None:
        """Write a line to stderr."""
        self._err.write_line([_cleaned(span) for span in spans])

    def labelled(self, prefix: Sequence[Span], text: str, style: Style = Style.PLAIN) -> None:
        """Write a text to stderr behind a prefix; wrapped lines are indented by its width."""
        indent = sum(len(text_of(span)) for span in prefix)
        lines = self._wrapped(text, indent)
        self.info(*prefix, (lines[0], style))
        for line in lines[1:]:
            self.info(" " * indent, (line, style))

    def error(self, text: str) -> None:
        """Write an error message to stderr."""
        self.labelled([("error: ", Style.BAD)], text)

    @contextmanager
    def status(self, text: str) -> Generator[Callable[[str], None]]:
        """Show a spinner with a text on stderr until the `with` block ends.

        The block gets a function that changes the text.
        """
        with self._err.status(text) as show:
            self._show_status = show
            self._change_status(text)
            try:
                yield self._change_status
            finally:
                self._show_status = None

    def set_notice(self, text: str | None) -> None:
        """Show a text in place of the spinner's, until it is None."""
        self.notice = text
        self._change_status(self._status_text)

    def _change_status(self, text: str) -> None:
        self._status_text = text
        if self._show_status is not None:
            self._show_status(text if self.notice is None else printable(self.notice))

    @contextmanager
    def live(self) -> Generator[Callable[[Sequence[Sequence[Span]]], None], None, None]:
        """Show lines below all others on stderr until the `with` block ends.

        The block gets a function that replaces these lines.
        """
        with self._err.live() as show:
            yield lambda lines: show([[_cleaned(span) for span in line] for line in lines])

    def result(self, value: Any) -> None:
        """Write a result to stdout as JSON: one line in a pipe, indented on a terminal."""
        is_unicode = (self._stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
        indent = 2 if self.stdout_is_tty else None
        text = json_text(value, indent=indent, ascii_only=not is_unicode)
        print(text, file=self._stdout, flush=True)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[Span]]) -> None:
        """Write aligned columns to stdout; the last one is cut at the width of the terminal."""
        cells = [[_cleaned(cell) for cell in row] for row in rows]
        lines: list[list[Span]] = [[(each, Style.STRONG) for each in headings], *cells]
        widths = [
            max(len(text_of(line[place])) for line in lines) for place in range(len(headings))
        ]
        for line in lines:
            padded = [_padded(cell, width + 2) for cell, width in zip(line, widths, strict=True)]
            used = sum(len(text_of(cell)) for cell in padded[:-1])
            self._out.write_line([*padded[:-1], _shortened(line[-1], self._out.width, used)])

    def _wrapped(self, text: str, indent: int) -> list[str]:
        flat = " ".join(text.split())
        if self._err.width is None:
            return [flat]
        width = max(self._err.width - indent, _NARROWEST_TEXT)
        return textwrap.wrap(flat, width, break_on_hyphens=False) or [""]


class ConsoleHandler(logging.Handler):
    """Writes log records as lines on stderr, above a spinner and never behind its text."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless it is about an event, which is shown already."""
        if hasattr(record, "event"):
            return
        try:
            for line in self.format(record).splitlines():
                self._console.info(line)
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)


def _cleaned(span: Span) -> Span:
    return printable(span) if isinstance(span, str) else (printable(span[0]), span[1])


def _padded(cell: Span, width: int) -> Span:
    return cell.ljust(width) if isinstance(cell, str) else (cell[0].ljust(width), cell[1])


def _shortened(cell: Span, width: int | None, used: int) -> Span:
    text = text_of(cell)
    if width is not None and used + len(text) > width:
        text = text[: max(width - used - 1, 0)] + "…"
    return text if isinstance(cell, str) else (text, cell[1])


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
