"""The program of a worker: it imports what jobs need, gives up its rights, and does jobs."""

import contextlib
import encodings
import logging
import pickle
import pkgutil
import select
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from browser_use_async.server.walls import raise_walls
from browser_use_async.server.worker import LENGTH, WorkRefusedError, read_exactly

_IDLE_SECONDS = 60.0
_MEMORY_BYTES = 2**30
_PLANNING = ("browser_use_async.server.executors.instructions.plan",)
_READING = (
    "_strptime",
    "browser_use_async.server.executors.reader.answer",
    "browser_use_async.server.search.relevance",
    *(f"encodings.{codec.name}" for codec in pkgutil.iter_modules(encodings.__path__)),
)
# Pages for which libraries import modules or read their own files.
_PARAGRAPH = "<p>A text of some words, which only this process reads.</p>"
_DATED = "<time datetime=2024-01-02>2 January 2024</time>"
_PAGE = (
    "<html lang=en><head><title>A</title><meta property=article:published_time "
    f"content=2024-05-06T10:00:00Z></head><body>{_DATED}{30 * _PARAGRAPH}"
    "<table><tr><th>A<th>B<tr><td>1<td>2</table><img src=a.png><a href=/b>B</a></body></html>"
)


def serve(kind: str) -> None:
    """Do the jobs of a kind from standard input, until none comes for a minute."""
    import resource  # noqa: PLC0415 - not on every system

    logging.disable(logging.CRITICAL)
    with contextlib.suppress(ValueError, OSError):  # not on every system
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Libraries may print to standard output, which is for answers.
    sys.stdout = sys.stderr
    _prepare(kind)
    is_closed = False
    while select.select([source], [], [], _IDLE_SECONDS)[0]:
        try:
            (length,) = LENGTH.unpack(read_exactly(source, LENGTH.size))
            message = read_exactly(source, length)
        except EOFError:
            return
        # The job comes from the parent, so the untrusted text chooses no function.
        function, arguments, seconds = pickle.loads(message)  # noqa: S301 - from the parent
        if not is_closed:
            raise_walls()
            is_closed = True
        answer = _answer(function, arguments, seconds)
        sink.write(LENGTH.pack(len(answer)) + answer)
        sink.flush()


def _prepare(kind: str) -> None:
    """Import the modules of jobs and their files, since no file can be opened later."""
    for name in _PLANNING if kind == "planning" else _READING:
        with contextlib.suppress(ImportError):  # codecs of other systems
            import_module(name)
    if kind == "planning":
        return
    from browser_use_async.server.html.document import parse_document  # noqa: PLC0415

    with contextlib.suppress(ImportError):  # the optional dependencies that read HTML
        parse_document("https://page.example/", "text/html", _PAGE.encode())


def _answer(function: Callable[..., Any], arguments: Sequence[Any], seconds: float) -> bytes:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return pickle.dumps(function(*arguments))
    except MemoryError:
        return pickle.dumps(WorkRefusedError("takes too much memory"))
    except Exception as error:  # noqa: BLE001 - libraries may raise any error
        if type(error).__module__.startswith("browser_use_async."):
            return pickle.dumps(error)
        return pickle.dumps(WorkRefusedError(f"failed ({type(error).__name__})"))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
