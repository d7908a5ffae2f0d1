"""A terminal with colours. The only file that needs rich; `cli.console` does without it."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console as RichConsole
from rich.live import Live
from rich.text import Text

from browser_use_async.cli.console import Span

__all__ = ["RichScreen"]


class RichScreen:
    """A terminal that rich writes to."""

    def __init__(self, stream: TextIO) -> None:
        self._console = RichConsole(file=stream, highlight=False)

    @property
    def width(self) -> int | None:
        """Columns of the terminal."""
        return self._console.width

    def line(self, spans: Sequence[Span]) -> None:
        """Write one line, above whatever is shown as being under way."""
        # soft_wrap: a URL that is longer than the line stays one URL when it is copied.
        self._console.print(Text.assemble(*spans), soft_wrap=True)

    @contextmanager
    def working(self, text: str) -> Generator[Callable[[str], None], None, None]:
        """Show a spinner with a text that can be changed."""
        with self._console.status(Text(text, style="dim")) as status:
            yield lambda new: status.update(Text(new, style="dim"))

    @contextmanager
    def board(self) -> Generator[Callable[[Sequence[Sequence[Span]]], None], None, None]:
        """Show lines below all others, which go away at the end."""
        with Live(console=self._console, transient=True) as live:

            def show(lines: Sequence[Sequence[Span]]) -> None:
                text = Text("\n").join(Text.assemble(*line) for line in lines)
                text.no_wrap, text.overflow = True, "ellipsis"
                live.update(text)

            yield show
