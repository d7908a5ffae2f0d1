"""Worker processes for work on texts of others: documents, instructions, schemas.

A process and not a thread: what a text makes a parser or a regular expression do cannot be stopped
within this process, and holds up every other task. A worker does one job at a time, with a limit of
processor time, which a busy machine does not use up, and of memory. One that goes beyond it is
gone, and the next job has another one. A worker without work ends after a minute.

The answers of a worker may hold nothing but plain values and classes of this package without
behaviour, so that a parser that was taken over takes over nothing else.
"""

import asyncio
import atexit
import contextlib
import io
import logging
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import IO, Any, TypeVar

import attrs

from browser_use_async import system

ResultT = TypeVar("ResultT")

# Seconds of processor time that a job may take.
CPU_SECONDS = 10.0

_WORKERS = 2
_IDLE_SECONDS = 60.0
_MEMORY_BYTES = 2**30
_LONGEST_ANSWER = 2**28  # bytes
_LENGTH = struct.Struct("!Q")
_PROGRAM = "from browser_use_async.server.worker import serve; serve()"
# A worker needs no keys, and a program that it can be made to run should find none.
_ENVIRONMENT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "TZ")


class WorkRefusedError(Exception):
    """A job that was not done. Its text says why, after words for the job."""


async def in_worker(
    function: Callable[..., ResultT], *arguments: Any, seconds: float = CPU_SECONDS
) -> ResultT:
    """Call a function in a worker.

    Args:
        function: A function of a module.
        *arguments: What it is called with.
        seconds: How much processor time it may take.

    Returns:
        What it returns.

    Raises:
        WorkRefusedError: It takes too much time or memory, or fails.
        Exception: An exception of this package that it raises.
    """
    if missing := system.missing_posix("a bounded process"):
        raise WorkRefusedError(f"is not done: {missing}")
    job = (function, arguments, seconds)
    loop = asyncio.get_running_loop()
    answer = await loop.run_in_executor(_pool().threads, _pool().do, job)
    if isinstance(answer, Exception):
        raise answer
    result: ResultT = answer
    return result


class _Pool:
    """The workers of one process: those without work, and a thread that waits for each other."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="worker")
        self._idle: list[_Worker] = []

    def do(self, job: object) -> Any:
        """The result of a job, or the exception that it raised."""
        message = pickle.dumps(job)
        while True:
            is_new = not self._idle
            worker = _Worker() if is_new else self._idle.pop()
            try:
                answer = worker.ask(message)
            except _WorkerEndedError as ended:
                worker.close()
                # One that was idle may have ended before it got the job.
                if is_new or ended.is_final:
                    return WorkRefusedError(str(ended))
            else:
                self._idle.append(worker)
                return answer

    def close(self) -> None:
        """End the workers that have no work."""
        while self._idle:
            self._idle.pop().close()


# By process: a fork has the variables of its parent, and none of its threads.
_pools: dict[int, _Pool] = {}


def _pool() -> _Pool:
    pool = _pools.get(os.getpid())
    if pool is None:
        pool = _pools[os.getpid()] = _Pool()
        atexit.register(pool.close)
    return pool


class _WorkerEndedError(Exception):
    """A worker that is gone. Its text says why."""

    def __init__(self, text: str, *, is_final: bool = True) -> None:
        super().__init__(text)
        self.is_final = is_final  # whether the job is what has ended it


class _Worker:
    """A process that waits for jobs."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        given = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with a program of ours
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**given, "PYTHONPATH": paths},
        )

    def ask(self, message: bytes) -> Any:
        """What comes of a job.

        Raises:
            _WorkerEndedError: The worker has ended instead.
        """
        to_worker, from_worker = self._process.stdin, self._process.stdout
        assert to_worker is not None
        assert from_worker is not None
        try:
            to_worker.write(_LENGTH.pack(len(message)) + message)
            to_worker.flush()
            (length,) = _LENGTH.unpack(_read(from_worker, _LENGTH.size))
            if length > _LONGEST_ANSWER:
                raise _WorkerEndedError("makes too much of it")
            return _AnswerUnpickler(io.BytesIO(_read(from_worker, length))).load()
        except pickle.UnpicklingError:
            raise _WorkerEndedError("gives more than values") from None
        except (OSError, EOFError):
            raise self._ended() from None

    def close(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        # Closes the pipes, one perhaps with a job that nobody reads any more, and waits.
        with contextlib.suppress(BrokenPipeError), self._process:
            pass

    def _ended(self) -> _WorkerEndedError:
        # An end that comes with broken pipes is not told at once.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if code == -signal.SIGPROF:
            return _WorkerEndedError("takes too long")
        return _WorkerEndedError(f"ended its process with code {code}", is_final=False)


class _AnswerUnpickler(pickle.Unpickler):
    """Reads answers of a worker, without calling what is more than a value."""

    def find_class(self, module: str, name: str) -> Any:
        """A class of this package that has values only."""
        if (module, name) == ("builtins", "getattr"):
            return _member_of  # early versions of Python 3.11 pickle a member of an enum so
        found: Any = None
        if module.startswith("browser_use_async."):
            found = super().find_class(module, name)
        is_class = isinstance(found, type)
        if is_class and (attrs.has(found) or issubclass(found, (Enum, Exception))):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no value")


def _member_of(owner: object, name: str) -> Enum:
    """The member of an enum; no attribute of anything else."""
    if isinstance(owner, type) and issubclass(owner, Enum) and name in owner.__members__:
        return owner[name]
    raise pickle.UnpicklingError(f"{name} is no member of an enum")


# --- in the worker ----------------------------------------------------------------------------


def serve() -> None:
    """Do the jobs that come on standard input, until there are none for a minute."""
    import resource  # noqa: PLC0415 - not on every system, and for nobody else

    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # not on every system
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # What a library prints is no answer.
    sys.stdout = sys.stderr
    while select.select([source], [], [], _IDLE_SECONDS)[0]:
        try:
            (length,) = _LENGTH.unpack(_read(source, _LENGTH.size))
            message = _read(source, length)
        except EOFError:
            return
        answer = _answer(message)
        sink.write(_LENGTH.pack(len(answer)) + answer)
        sink.flush()


def _answer(message: bytes) -> bytes:
    function, arguments, seconds = pickle.loads(message)  # noqa: S301 - from the parent
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return pickle.dumps(function(*arguments))
    except MemoryError:
        return pickle.dumps(WorkRefusedError("takes too much memory"))
    except Exception as error:  # noqa: BLE001 - whatever a library raises over a text
        if type(error).__module__.startswith("browser_use_async."):
            return pickle.dumps(error)
        return pickle.dumps(WorkRefusedError(f"failed ({type(error).__name__})"))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _read(file: IO[bytes], length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data
