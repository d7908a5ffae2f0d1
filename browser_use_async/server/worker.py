"""Worker processes for untrusted texts: documents, instructions, schemas.

Jobs run in processes, not in threads: a parser or a regular expression that a text makes slow
cannot be stopped in this process, and would delay every other task. A worker does one job at a
time, with limits of processor time and memory. A worker over a limit is killed, and the next job
gets a new one. A worker without jobs ends after a minute.

`walls` removes the rights of a worker before its first job. Its answers may contain only plain
values and classes of this package without behaviour, so a parser that was taken over cannot run
code in the server.
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

# Limits of processor time in seconds: for texts of pages, and for tasks and schemas.
CPU_SECONDS = 3.0
PLANNING_SECONDS = 2.0

OWNER: ContextVar[str] = ContextVar("OWNER", default="default")
"""The owner of the current task: jobs wait for the turn of their owner."""

LENGTH = struct.Struct("!Q")
"""The length before each job and each answer."""

_SLOW_SECONDS = 60.0
_MOST_SLOW = 1000
_LONGEST_ANSWER = 2**28  # bytes
_PROGRAM = "from browser_use_async.server.worker_process import serve; serve({kind!r})"
# A worker needs no keys, and code that takes it over must find none.
_ENVIRONMENT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "TZ")


class WorkRefusedError(Exception):
    """A job was not done. The message is the reason, to follow words for the job."""


class _TooLongError(WorkRefusedError):
    """A job has exceeded its limit of processor time."""


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
        *arguments: Its arguments.
        seconds: The limit of processor time.
        kind: Whether the job plans a task or reads pages. One worker is reserved for plans.
        about: The subject of the job, such as an address. The job is refused at once if a job
            with this subject took too long within the last minute.

    Returns:
        The result of the function.

    Raises:
        WorkRefusedError: The job exceeds its time or memory, or fails, or too many jobs of its
            owner wait.
        Exception: An exception of this package that the function raises.
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
    """Return why an owner's new jobs are refused, as a clause; None if they are accepted."""
    return _pool().refusal(owner)


class _Pool:
    """The workers of one process: the idle ones, and a thread for each busy one."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="worker")
        # Pickling many pages takes long, and would block the event loop.
        self._packing = ThreadPoolExecutor(1, thread_name_prefix="worker-jobs")
        self._lock = threading.Lock()
        self._turns = Turns()
        self._idle: dict[JobKind, list[_Worker]] = {kind: [] for kind in JobKind}
        self._slow: dict[tuple[str, str | None], float] = {}

    async def do(self, kind: JobKind, call: object) -> Any:
        """Do a call in a worker, and return its result."""
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
        """Return why no further job of an owner is accepted, or None."""
        if self._turns.bytes_of(owner) < MOST_WAITING:
            return None
        most = MOST_WAITING // 1024**2
        return f"{most} MB of tasks and pages of this key wait to be read"

    def is_slow(self, subject: tuple[str, str | None]) -> bool:
        """Whether a job about a subject took too long within the last minute."""
        return time.monotonic() < self._slow.get(subject, 0.0)

    def note_slow(self, subject: tuple[str, str | None]) -> None:
        """Remember for a minute that a job about a subject took too long."""
        while len(self._slow) >= _MOST_SLOW:
            del self._slow[next(iter(self._slow))]
        self._slow[subject] = time.monotonic() + _SLOW_SECONDS

    def close(self) -> None:
        """End the idle workers."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _give_up(self, job: Job) -> None:
        if job.result.cancelled():
            with self._lock:
                self._turns.give_up(job)

    def _begin(self) -> None:
        """Start a thread for each job whose turn it is."""
        with self._lock:
            while (job := self._turns.take()) is not None:
                self._threads.submit(self._finish, job)

    def _finish(self, job: Job) -> None:
        try:
            if job.result.set_running_or_notify_cancel():
                _settle(job.result, self._answer(job))
        except BaseException as error:  # noqa: BLE001 - the caller waits for any error
            job.result.set_exception(error)
        finally:
            with self._lock:
                self._turns.end(job)
            self._begin()

    def _answer(self, job: Job) -> Any:
        """Do a job, and return its result or the exception that it raised."""
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
            # An idle worker may have ended before it got the job. The job is repeated once, by a
            # new worker: a job that kills its worker would otherwise kill all idle ones.
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


# By process id: a fork has the variables of its parent, but not its threads.
_pools: dict[int, _Pool] = {}


def _pool() -> _Pool:
    pool = _pools.get(os.getpid())
    if pool is None:
        pool = _pools[os.getpid()] = _Pool()
        atexit.register(pool.close)
    return pool


class _WorkerEndedError(Exception):
    """A worker has ended. The message is the reason."""

    def __init__(self, refusal: WorkRefusedError, *, is_final: bool = True) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.is_final = is_final  # whether the job caused the end


class _Worker:
    """A worker process, which waits for jobs."""

    def __init__(self, kind: JobKind) -> None:
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        given = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with a program of ours
            [sys.executable, "-P", "-c", _PROGRAM.format(kind=str(kind))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**given, "PYTHONPATH": paths},
            # Ctrl-C is for the parent: tasks that it lets finish need their workers.
            start_new_session=True,
        )

    def ask(self, message: bytes) -> Any:
        """Send a job, and return the answer.

        Raises:
            _WorkerEndedError: The worker ended without an answer.
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
        """End the process if it has not ended."""
        self._process.kill()
        # Closes the pipes, even with an unread job, and waits.
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
    """Reads answers of a worker, and refuses everything except values."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class of this package that has values only."""
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
    """Return a member of an enum; refuses attributes of other objects."""
    if isinstance(owner, type) and issubclass(owner, Enum) and name in owner.__members__:
        return owner[name]
    raise pickle.UnpicklingError(f"{name} is no member of an enum")


def read_exactly(file: IO[bytes], length: int) -> bytes:
    """Read exactly `length` bytes.

    Raises:
        EOFError: The file has fewer.
    """
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data
