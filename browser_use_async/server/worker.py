"""Worker processes for work on texts of others: documents, instructions, schemas.

A process and not a thread: what a text makes a parser or a regular expression do cannot be stopped
within this process, and delays every other task. A worker does one job at a time, with a limit of
processor time, which a busy machine does not use up, and of memory. One that goes beyond it is
gone, and the next job has another one. A worker without work ends after a minute.

A worker is no part of the server for the system either: `walls` takes its rights away before the
first job. Its answers may hold nothing but plain values and classes of this package without
behaviour, so that a parser that was taken over takes over nothing else.
"""

import asyncio
import atexit
import contextlib
import io
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from enum import Enum
from pathlib import Path
from typing import IO, Any, TypeVar

import attrs

from browser_use_async import system
from browser_use_async.server.worker_turns import MOST_WAITING, MOST_WORKERS, Job, JobKind, Turns

ResultT = TypeVar("ResultT")

# Seconds of processor time that a job may take: for what pages say, and for tasks and schemas.
CPU_SECONDS = 3.0
PLANNING_SECONDS = 2.0

OWNER: ContextVar[str] = ContextVar("OWNER", default="default")
"""The owner for which the current code works, in whose turn its jobs wait."""

LENGTH = struct.Struct("!Q")
"""What stands before a job and before an answer: how long it is."""

_SLOW_SECONDS = 60.0
_MOST_SLOW = 1000
_LONGEST_ANSWER = 2**28  # bytes
_PROGRAM = "from browser_use_async.server.worker_process import serve; serve({kind!r})"
# A worker needs no keys, and a program that it can be made to run should find none.
_ENVIRONMENT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "TZ")


class WorkRefusedError(Exception):
    """A job that was not done. Its text says why, after words for the job."""


class _TooLongError(WorkRefusedError):
    """A job that has taken more processor time than it may."""


async def in_worker(
    function: Callable[..., ResultT],
    *arguments: Any,
    seconds: float = CPU_SECONDS,
    kind: JobKind = JobKind.READING,
    about: str | None = None,
) -> ResultT:
    """Call a function in a worker, when it is its owner's turn.

    Args:
        function: A function of a module.
        *arguments: What it is called with.
        seconds: How much processor time it may take.
        kind: Whether a task is understood or pages are read. There is a worker for the former
            that pages never have.
        about: What the job is about, such as an address: if that has taken too long within the
            last minute, the job is refused at once.

    Returns:
        What it returns.

    Raises:
        WorkRefusedError: It takes too much time or memory, or fails; or too much of its owner
            waits already.
        Exception: An exception of this package that it raises.
    """
    if missing := system.missing_posix("a bounded process"):
        raise WorkRefusedError(f"is not done: {missing}")
    pool, slow = _pool(), (OWNER.get(), about)
    if about is not None and pool.is_slow(slow):
        raise WorkRefusedError(f"took too long less than {_SLOW_SECONDS:g} s ago")
    try:
        result: ResultT = await pool.do(kind, (function, arguments, seconds))
    except _TooLongError:
        pool.note_slow(slow)
        raise
    return result


def waiting_refusal(owner: str) -> str | None:
    """Why nothing new is taken on for an owner, as a clause; None unless too much waits."""
    return _pool().refusal(owner)


class _Pool:
    """The workers of one process: those without work, and a thread that waits for each other."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="worker")
        # Takes long for many pages, and would hold up the event loop.
        self._packing = ThreadPoolExecutor(1, thread_name_prefix="worker-jobs")
        self._lock = threading.Lock()
        self._turns = Turns()
        self._idle: dict[JobKind, list[_Worker]] = {kind: [] for kind in JobKind}
        self._slow: dict[tuple[str, str | None], float] = {}

    async def do(self, kind: JobKind, call: object) -> Any:
        """What a call in a worker returns."""
        loop = asyncio.get_running_loop()
        message = await loop.run_in_executor(self._packing, pickle.dumps, call)
        job = Job(OWNER.get(), kind, message)
        if refusal := self.refusal(job.owner):
            raise WorkRefusedError(f"is not done: {refusal}")
        with self._lock:
            self._turns.add(job)
        job.result.add_done_callback(lambda _: self._give_up(job))
        self._begin()
        return await asyncio.wrap_future(job.result)

    def refusal(self, owner: str) -> str | None:
        """Why no further job of an owner is taken, or None."""
        if self._turns.bytes_of(owner) < MOST_WAITING:
            return None
        most = MOST_WAITING // 1024**2
        return f"{most} MB of tasks and pages of this key wait to be read"

    def is_slow(self, subject: tuple[str, str | None]) -> bool:
        """Whether something has taken too long a moment ago."""
        return time.monotonic() < self._slow.get(subject, 0.0)

    def note_slow(self, subject: tuple[str, str | None]) -> None:
        """Remember for a minute that something has taken too long."""
        while len(self._slow) >= _MOST_SLOW:
            del self._slow[next(iter(self._slow))]
        self._slow[subject] = time.monotonic() + _SLOW_SECONDS

    def close(self) -> None:
        """End the workers that have no work."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _give_up(self, job: Job) -> None:
        if job.result.cancelled():
            with self._lock:
                self._turns.give_up(job)

    def _begin(self) -> None:
        """Have threads do the jobs whose turn it is."""
        with self._lock:
            while (job := self._turns.take()) is not None:
                self._threads.submit(self._finish, job)

    def _finish(self, job: Job) -> None:
        try:
            if job.result.set_running_or_notify_cancel():
                _settle(job.result, self._answer(job))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller waits for it
            job.result.set_exception(error)
        finally:
            with self._lock:
                self._turns.end(job)
            self._begin()

    def _answer(self, job: Job) -> Any:
        """The result of a job, or the exception that it raised."""
        idle = self._idle[job.kind]
        try:
            worker, is_new = idle.pop(), False
        except IndexError:
            worker, is_new = _Worker(job.kind), True
        if not idle and self._turns.needs_spare(job.kind):
            idle.append(_Worker(job.kind))  # begins while the others work
        try:
            try:
                return self._ask(worker, job)
            except _WorkerEndedError as ended:
                if is_new or ended.is_final:
                    raise
            # One that was idle may have ended before it got the job. Once, and with a new one: a
            # job that ends each worker would end all idle ones.
            return self._ask(_Worker(job.kind), job)
        except _WorkerEndedError as ended:
            return ended.refusal

    def _ask(self, worker: "_Worker", job: Job) -> Any:
        try:
            answer = worker.ask(job.message)
        except _WorkerEndedError:
            worker.close()
            raise
        self._idle[job.kind].append(worker)
        return answer


def _settle(result: "Future[Any]", answer: Any) -> None:
    if isinstance(answer, Exception):
        result.set_exception(answer)
    else:
        result.set_result(answer)


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

    def __init__(self, refusal: WorkRefusedError, *, is_final: bool = True) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.is_final = is_final  # whether the job is what has ended it


class _Worker:
    """A process that waits for jobs."""

    def __init__(self, kind: JobKind) -> None:
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        given = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with a program of ours
            [sys.executable, "-P", "-c", _PROGRAM.format(kind=str(kind))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**given, "PYTHONPATH": paths},
            # Ctrl-C is the parent's: a task that it lets end needs its worker.
            start_new_session=True,
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
            to_worker.write(LENGTH.pack(len(message)) + message)
            to_worker.flush()
            (length,) = LENGTH.unpack(read_exactly(from_worker, LENGTH.size))
            if length > _LONGEST_ANSWER:
                raise _WorkerEndedError(WorkRefusedError("makes too much of it"))
            return _AnswerUnpickler(io.BytesIO(read_exactly(from_worker, length))).load()
        except pickle.UnpicklingError:
            raise _WorkerEndedError(WorkRefusedError("gives more than values")) from None
        except (OSError, EOFError):
            raise self._ended() from None

    def close(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        # Closes the pipes, one perhaps with a job that stays unread, and waits.
        with contextlib.suppress(BrokenPipeError), self._process:
            pass

    def _ended(self) -> _WorkerEndedError:
        # After a broken pipe the exit code is known only a moment later.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if code == -signal.SIGPROF:
            return _WorkerEndedError(_TooLongError("takes too long"))
        refusal = WorkRefusedError(f"ended its process with code {code}")
        return _WorkerEndedError(refusal, is_final=False)


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


def read_exactly(file: IO[bytes], length: int) -> bytes:
    """Read so many bytes.

    Raises:
        EOFError: There are fewer.
    """
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data
