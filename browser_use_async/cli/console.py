"""Console output: messages for people to stderr, results to stdout as text or as JSON."""

import asyncio
import errno
import io
import json
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.cells import cell_len

from browser_use_async import system
from browser_use_async.cli.screen import Lines, Screen, Span, Style, text_of
from browser_use_async.server.secrets.sources import WAYS

if TYPE_CHECKING:
    from browser_use_async.cli.tables import Head

_NARROWEST_TEXT = 30
# Control and format characters, line separators, lone surrogates, and other characters without
# width: unescaped they control a terminal, or hide text from its reader. Escaped, the JSON is the
# same. The variation selectors of emoji stay.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0"
    "\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def printable(text: str) -> str:
    """Untrusted text with blanks in place of control characters and invisible ones."""
    seen = text if text.isascii() else _UNSEEN.sub(" ", text)
    return "".join(each if each.isprintable() else " " for each in seen)


def counted(count: int, noun: str) -> str:
    """A number of things: `1 step`, `2 steps`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON text in which control characters and invisible ones are escaped."""
    return _UNSEEN.sub(_escaped, json.dumps(value, ensure_ascii=ascii_only, indent=indent))


class Console:
    """Messages to stderr, and results to stdout; an `OutputError` if one cannot be written."""

    def __init__(
        self,
        *,
        plain: bool = False,
        as_json: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        closed = cast("TextIO", _ClosedStream())
        self._stdout: TextIO = stdout or sys.stdout or closed
        errors: TextIO = stderr or sys.stderr or closed
        for stream in (self._stdout, errors):
            # An old encoding must not turn output about a paid task into a traceback.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        self._err = Screen(errors, plain=plain)
        self._show_status: Callable[[str], None] | None = None  # of the spinner, if there is one
        self._status_text = ""
        self.notice: str | None = None
        self._out = Screen(self._stdout, plain=plain)
        self.is_json = as_json
        self.prefers_text = plain  # also in a pipe
        # With --output-only: only errors.
        self.is_quiet = False

    @property
    def shows_text(self) -> bool:
        """Whether results are texts: on a terminal and with `--plain`, but not with `--json`."""
        return (self._stdout.isatty() or self.prefers_text) and not self.is_json

    @property
    def stdout_is_terminal(self) -> bool:
        """Whether a person sees what is written to stdout."""
        return self._stdout.isatty() and not self.is_json

    @property
    def is_interactive(self) -> bool:
        """Whether `status` and `live` show anything on stderr."""
        return self._err.is_interactive and not self.is_quiet

    def info(self, *spans: Span) -> None:
        """Write a line to stderr."""
        if not self.is_quiet:
            self._say(spans)

    def _say(self, spans: Sequence[Span]) -> None:
        # A command works and prints its result even if stderr is closed or full.
        with suppress(OSError):
            self._err.write_line([_cleaned(span) for span in spans])

    def labelled(self, prefix: Sequence[Span], text: str, style: Style = Style.PLAIN) -> None:
        """Write a text to stderr after a prefix; wrapped lines are indented by its width."""
        if not self.is_quiet:
            self._say_labelled(prefix, text, style)

    def _say_labelled(self, prefix: Sequence[Span], text: str, style: Style) -> None:
        indent = sum(cell_len(text_of(span)) for span in prefix)
        lines = [" ".join(text.split())]
        if self._err.width is not None:
            width = max(self._err.width - indent, _NARROWEST_TEXT)
            lines = textwrap.wrap(lines[0], width, break_on_hyphens=False) or [""]
        self._say([*prefix, (lines[0], style)])
        for line in lines[1:]:
            self._say([" " * indent, (line, style)])

    def report(self, prefix: Sequence[Span], text: str, style: Style = Style.PLAIN) -> None:
        """Write a text result to stdout, or with a JSON result the same text to stderr."""
        # A terminal shows both, and changing lines are on stderr.
        if self.shows_text and not self._stdout.isatty():
            self.line(*prefix, (" ".join(text.split()), style))
        else:
            self.labelled(prefix, text, style)

    def note(self, text: str) -> None:
        """Write a note to stderr."""
        self.labelled([("note: ", Style.WAITING)], text)

    def note_visible(self, flag: str) -> None:
        """Warn that other users can see the secret in an option."""
        self.note(
            f"other users of this machine can see what is given with {flag} in the process list; "
            f"give it as {WAYS}"
        )

    def error(self, text: str) -> None:
        """Write an error message to stderr, also with `--output-only`."""
        self._say_labelled([("error: ", Style.BAD)], text, Style.PLAIN)

    def traceback(self, error: BaseException) -> None:
        """Write the traceback of an error to stderr, also with `--output-only`."""
        for line in "".join(traceback.format_exception(error)).splitlines():
            self._say([line])

    @property
    def can_ask(self) -> bool:
        """Whether there is a terminal, at which a person can answer questions."""
        is_seen = self._err.width is not None
        return is_seen and sys.stdin is not None and sys.stdin.isatty()

    async def confirm(self, question: str) -> bool:
        """Ask a question at a terminal; without one the answer is yes."""
        if not self.can_ask:
            return True
        return (await self.ask(f"{question}. Go on? [y/N]")).lower() in {"y", "yes"}

    async def ask(self, question: str, *, is_hidden: bool = False) -> str:
        """The line that a person answers at a terminal; an empty one for Ctrl-D.

        Args:
            question: What to ask.
            is_hidden: Whether the terminal shows nothing of the answer.
        """
        # Before the question, since an answer may be pasted as soon as it is shown.
        with system.hidden_typing(sys.stdin) if is_hidden else nullcontext():
            self.info(question)
            # A terminal is readable once a line is complete; until then Ctrl-C must work.
            loop, is_answered = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(sys.stdin, is_answered.set)
            try:
                await is_answered.wait()
            finally:
                loop.remove_reader(sys.stdin)
            return sys.stdin.readline().strip()

    @contextmanager
    def status(self, text: str) -> Generator[Callable[[str], None]]:
        """Show a spinner with a text on stderr until the `with` block ends.

        The block gets a function that changes the text.
        """
        if self.is_quiet:
            yield lambda _text: None
            return
        with self._err.status(printable(text)) as show:
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
            self._show_status(printable(text if self.notice is None else self.notice))

    @contextmanager
    def live(self) -> Generator[Callable[[Lines], None]]:
        """Show lines below all others on stderr until the `with` block ends.

        The block gets a function that replaces these lines.
        """
        with self._err.live() as show:
            yield lambda lines: show([[_cleaned(span) for span in line] for line in lines])

    def result(self, value: Any) -> None:
        """Write a result to stdout: as JSON, or as text with the same content.

        JSON is one line in a pipe, and indented on a terminal.
        """
        if self.shows_text:
            self._write_as_text(value)
            return
        is_unicode = (self._stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
        indent = 2 if self._stdout.isatty() else None
        self._print(json_text(value, indent=indent, ascii_only=not is_unicode))

    def done(self, text: str, value: Any) -> None:
        """Write what was done: a text for people, or a value for programs."""
        self.report([("ok ", Style.GOOD)], text)
        if not self.shows_text:
            self.result(value)

    def _write_as_text(self, value: Any) -> None:
        """The fields of an object in a column, and each value of a list in a line."""
        if isinstance(value, list):
            for each in value:
                self.line(each if isinstance(each, str) else json_text(each))
            return
        width = max(map(len, value)) + 2
        for name, field in value.items():
            if field in (None, ""):
                self.line((name, Style.FAINT))
                continue
            shown = field if isinstance(field, str) else json_text(field)
            self.line((name.ljust(width), Style.FAINT), " ".join(shown.split()))

    def answer(self, text: str) -> None:
        """Write a text to stdout unchanged, but to a terminal without control characters."""
        if self._stdout.isatty():
            text = "\n".join(map(printable, text.splitlines()))
        self._print(text)

    def line(self, *spans: Span) -> None:
        """Write a line for people to stdout."""
        with output_errors():
            self._out.write_line([_cleaned(span) for span in spans])

    def _print(self, text: str) -> None:
        with output_errors():
            print(text, file=self._stdout, flush=True)

    def table(self, heads: "Sequence[Head]", rows: Sequence[Sequence[Span]]) -> None:
        """Write aligned columns to stdout, fitted into the width of a terminal."""
        from browser_use_async.cli.tables import fitted  # noqa: PLC0415 - by commands with tables

        cells = [[_cleaned(cell) for cell in row] for row in rows]
        for line in fitted(heads, cells, self._out.width):
            self.line(*line)


def _cleaned(span: Span) -> tuple[str, Style]:
    text, style = (span, Style.PLAIN) if isinstance(span, str) else span
    return (printable(text), style)


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


# --- streams that fail ------------------------------------------------------------------------


class OutputError(Exception):
    """Something could not be written to stdout."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror or str(cause))
        self.is_broken_pipe = isinstance(cause, BrokenPipeError)
        self.task_id: str | None = None  # the task whose answer it was


class _ClosedStream(io.TextIOBase):
    """Replaces a stream that the shell closed with `>&-`, for which Python has None."""

    def write(self, text: str, /) -> int:
        """Fail like the closed file descriptor."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextmanager
def output_errors() -> Generator[None]:
    """Turn an error of writing into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error


@contextmanager
def answer_of(task_id: str | None) -> Generator[None]:
    """Add the task whose answer is written in the block to an `OutputError`."""
    try:
        yield
    except OutputError as error:
        error.task_id = task_id
        raise


def flush_at_exit() -> OutputError | None:
    """Write what is buffered. What cannot be written is dropped; returns the error of stdout."""
    failure = None
    # stderr first, so that an error of stdout, which decides the exit code, is the one that stays.
    streams: tuple[TextIO | None, ...] = (sys.stderr, sys.stdout)
    for stream in filter(None, streams):
        try:
            stream.flush()
        except OSError as error:
            # Python would flush once more when it exits, and print an error of its own.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            failure = OutputError(error) if stream is sys.stdout else None
    return failure
