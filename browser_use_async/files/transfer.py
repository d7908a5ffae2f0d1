"""One download from its first request to the finished file.

A cut connection is taken up again with `Range` and `If-Range`, any number of times as long as the
file grows; without growth as often as the session's `RetryPolicy` says. Whatever does not fit the
bytes that are there (200 instead of 206, another range, 416, another ETag) starts the file from 0,
so that bytes of two versions never meet. The length is compared with what the reply promised. A
reply that promises none is taken if its framing ended properly: the last chunk came, or the
connection that marks the end was closed and not reset; a body of the latter kind that a storage
itself cuts short cannot be told from a whole one.

An interrupted download leaves a `.part` file for the next one to go on with, if its version can
be told; see `part_file`. One that was refused, or failed on this side, leaves nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path

import attrs

from browser_use_async.api.endpoint_table import Effect
from browser_use_async.errors import BrowserUseError, FileTransferError
from browser_use_async.events import RetryScheduled
from browser_use_async.files.destinations import refuse_taken
from browser_use_async.files.part_file import PartFile
from browser_use_async.files.progress import OnProgress
from browser_use_async.files.sink import Sink
from browser_use_async.files.versions import Version
from browser_use_async.transport.client import Transport
from browser_use_async.transport.idempotency import may_try_again
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.transport.signed_urls import SignedUrl
from browser_use_async.transport.storage import StorageError, StorageReply

__all__ = ["MAY_HAVE_EXPIRED", "Download", "Wanted"]

MAY_HAVE_EXPIRED = frozenset({400, 401, 403})
"""Statuses with which storages refuse a signed URL that is too old; S3 says 403."""


@attrs.frozen
class Wanted:
    """What to download, and where to."""

    task_id: str  # the task whose file it is
    label: str  # what to call it in messages
    target: Path  # the path of the finished file
    url: SignedUrl  # its signed URL
    renew: Callable[[], Awaitable[SignedUrl]]  # asks the API for another one
    max_bytes: int | None  # the largest size that is accepted, or None
    on_progress: OnProgress | None  # told after each chunk


class Download:
    """The state of one download. Run it once."""

    def __init__(self, wanted: Wanted, transport: Transport) -> None:
        self._wanted = wanted
        self._transport = transport
        self._url = wanted.url
        self._version = Version(None, None)
        self._part: PartFile | None = None
        self._tag: str | None = None
        self._ended = False  # a body without a length came to its proper end
        self._fits = False  # what the part holds may be continued with a range
        self._grown_to = 0
        self._failures = 0
        self._restarts = 0
        self._renewed = False

    async def run(self) -> Path:
        """Download the file.

        Raises:
            FileTransferError: It cannot be had whole.
            BrowserUseError: The API gave no new URL.
        """
        try:
            while not self._is_whole():
                await self._attempt()
            await self._commit()
        except (asyncio.CancelledError, BrowserUseError):
            await self._leave(keep=self._is_worth_keeping())
            raise
        except BaseException:
            await self._leave(keep=False)
            raise
        return self._wanted.target

    # --- one attempt ------------------------------------------------------------------------

    async def _attempt(self) -> None:
        try:
            async with self._transport.storage.get(self._url, self._range()) as reply:
                if await self._fits_what_is_there(reply):
                    await self._receive(reply)
            return
        except StorageError as error:
            outcome = error.outcome
        await self._recover(outcome)

    def _range(self) -> dict[str, str]:
        if not (self._fits and self._size):
            return {}
        return {"Range": f"bytes={self._size}-", "If-Range": str(self._version.validator)}

    async def _fits_what_is_there(self, reply: StorageReply) -> bool:
        """Make the part ready for a reply; False if it is better to ask for the rest only."""
        if reply.headers.get("Content-Encoding", "identity").strip().lower() not in {
            "",
            "identity",
        }:
            self._fits = False
            raise self._refused("the storage compressed it, which was not asked for")
        if reply.status == 206:
            if not (self._fits and self._version.goes_on(reply.headers, self._size)):
                self._fits = False
                raise StorageError(_unusable("the storage answered with another range"))
            return True
        return await self._begin(Version.of(reply.headers))

    async def _begin(self, version: Version) -> bool:
        """Start a version from 0, or find that an earlier download has begun it."""
        if version.total is not None:
            self._refuse_above_limit(version.total)
        tag = None
        if version.can_be_resumed:
            tag = version.tag(f"{self._wanted.task_id}\n{self._wanted.target.name}")
        self._version = version
        if self._part is not None and tag is not None and tag == self._tag:
            self._restarts += self._size > 0
            await self._empty()
        else:
            await self._leave(keep=False)
            with self._disk():
                self._part = await asyncio.to_thread(PartFile.open, self._wanted.target, tag)
            self._tag = tag
        if 0 < self._size <= (version.total or 0):
            self._fits = True
            return False
        if self._size:  # longer than the file that it is to become
            await self._empty()
        self._fits = version.can_be_resumed
        return True

    async def _receive(self, reply: StorageReply) -> None:
        assert self._part is not None
        sink = Sink(self._part)
        received = self._size
        try:
            while chunk := await reply.read():
                received += len(chunk)
                self._refuse_above_limit(received)
                with self._disk():
                    await sink.take(chunk)
                if self._wanted.on_progress is not None:
                    self._wanted.on_progress(received, self._version.total)
        except StorageError:
            with self._disk():
                await sink.flush()
            raise
        with self._disk():
            await sink.flush()
        if self._version.total is None:
            self._ended = True
        elif self._size != self._version.total:
            self._fits = self._size < self._version.total
            raise StorageError(_unusable("the storage sent another number of bytes than promised"))

    def _is_whole(self) -> bool:
        return self._part is not None and (self._ended or self._size == self._version.total)

    @property
    def _size(self) -> int:
        return 0 if self._part is None else self._part.size

    # --- after a failure --------------------------------------------------------------------

    async def _recover(self, outcome: Outcome) -> None:
        """Wait, renew the URL or start from 0, so that the next attempt may do better."""
        if self._fits and self._size > self._grown_to:
            self._grown_to = self._size
            self._failures, self._renewed = 0, False
        self._failures += 1
        if outcome.status in MAY_HAVE_EXPIRED and not self._renewed:
            self._renewed = True
            self._tell(outcome, 0.0)
            self._url = await self._wanted.renew()
            return
        pause = self._pause_after(outcome)
        if pause is None:
            raise self._refused(outcome.problem)
        self._tell(outcome, pause)
        await self._transport.storage.sleep(pause)

    def _pause_after(self, outcome: Outcome) -> float | None:
        """Seconds until the next attempt, or None if there is no point in one."""
        if outcome.status == 416:
            self._fits = False
        elif not may_try_again(Effect.READS, outcome):
            return None
        policy = self._transport.retry
        if max(self._failures, self._restarts) >= policy.max_attempts:
            return None
        return policy.pause(outcome, self._failures, self._transport.rng)

    def _tell(self, outcome: Outcome, pause: float) -> None:
        self._transport.emit(
            RetryScheduled(
                "download_file", self._wanted.task_id, self._failures, pause, outcome.problem
            )
        )

    def _refuse_above_limit(self, size: int) -> None:
        if self._wanted.max_bytes is not None and size > self._wanted.max_bytes:
            self._fits = False
            raise self._refused(f"it is larger than max_bytes={self._wanted.max_bytes}")

    def _refused(self, problem: str) -> FileTransferError:
        wanted = self._wanted
        advice = "nothing was written"
        if self._part is not None and self._is_worth_keeping():
            advice = f"{self._size} bytes are kept in {self._part.path.name} for the next call"
        return FileTransferError(
            f"{wanted.label} of task {wanted.task_id} could not be downloaded: {problem}; {advice}",
            task_id=wanted.task_id,
        )

    # --- the disk ---------------------------------------------------------------------------

    async def _empty(self) -> None:
        assert self._part is not None
        with self._disk():
            await asyncio.to_thread(self._part.empty)

    async def _commit(self) -> None:
        assert self._part is not None
        with self._disk():
            await asyncio.to_thread(refuse_taken, self._wanted.target, self._wanted.task_id)
            await asyncio.to_thread(self._part.commit)

    @contextlib.contextmanager
    def _disk(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            self._fits = False  # what is there takes space that may be what is missing
            raise self._refused(f"the file cannot be written ({error})") from error

    def _is_worth_keeping(self) -> bool:
        return self._fits and self._version.can_be_resumed and self._size > 0

    async def _leave(self, *, keep: bool) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        # Shielded: it must happen even if this task is cancelled a second time.
        await asyncio.shield(asyncio.to_thread(part.release if keep else part.discard))


def _unusable(problem: str) -> Outcome:
    return Outcome(OutcomeKind.AMBIGUOUS, problem=problem)
