"""One download from its first request to the finished file."""

# After a cut connection the download resumes with `Range` and `If-Range`, any number of times while
# the file grows; without growth as often as the session's `RetryPolicy` says. If a reply does not
# match the bytes received so far (200 instead of 206, another range, 416, another ETag), the file
# starts again from 0, so that bytes of two versions are never mixed. The length is compared with
# the announced one. A reply without a length is accepted if its framing ended properly: the last
# chunk came, or the connection that marks the end was closed and not reset. If the storage itself
# cuts a body of the latter kind, it cannot be distinguished from a whole one.
#
# An interrupted download leaves a `.part` file for the next one to continue, if its version is
# known; see `part_file`. One that was refused, or failed on this side, leaves nothing.

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from pathlib import Path

import attrs

from browser_use_async.api.endpoint_table import Effect
from browser_use_async.api.limits import is_count
from browser_use_async.errors import BrowserUseError, FileTransferError, InvalidRequestError
from browser_use_async.events import RetryScheduled
from browser_use_async.files.names import check_replaceable
from browser_use_async.files.part_file import FileVersion, PartFile, PartWriter
from browser_use_async.system import open_in_thread
from browser_use_async.transport.client import Transport
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.transport.retry import may_try_again
from browser_use_async.transport.signed_urls import SignedUrl
from browser_use_async.transport.storage import StorageError, StorageReply

# With these statuses storages refuse an expired signed URL; S3 answers 403.
EXPIRED_URL_STATUSES = frozenset({400, 401, 403})

# Called with the received bytes and the size, which is None while it is unknown.
OnProgress = Callable[[int, int | None], object]


@attrs.frozen
class DownloadOptions:
    """The options of a download."""

    max_bytes: int | None = None  # the largest size of one file, or None
    on_progress: OnProgress | None = None  # called after each chunk
    concurrency: int = 1  # how many files at once
    overwrite: bool = False  # whether existing files may be replaced

    def __attrs_post_init__(self) -> None:
        for field in ("max_bytes", "concurrency"):
            value: object = getattr(self, field)
            if not is_count(value) and (field, value) != ("max_bytes", None):
                raise InvalidRequestError(
                    f"{field} must be a whole number from 1, not {value!r}; nothing was sent",
                    field=field,
                )


@attrs.define(eq=False, repr=False)
class Download:
    """One download and its state. Run it once."""

    _transport: Transport
    _task_id: str  # the task whose file it is
    _label: str  # its name in messages
    _target: Path  # the path of the finished file
    _url: SignedUrl  # its signed URL
    _renew: Callable[[], Awaitable[SignedUrl]]  # requests another one from the API
    _options: DownloadOptions
    _version: FileVersion = attrs.field(factory=FileVersion)
    _part: PartFile | None = None
    _tag: str | None = None
    _ended: bool = False  # whether a body without a length came to its proper end
    _fits: bool = False  # whether the content of the part may be continued with a range
    _grown_to: int = 0  # bytes; growth beyond it resets the count of failures
    _failures: int = 0
    _restarts: int = 0
    _renewed: bool = False

    async def run(self) -> Path:
        """Download the file; raises `FileTransferError` if that is not possible."""
        try:
            while not self._is_whole():
                await self._attempt()
            await self._commit()
        # An interrupted download can be continued later. After any other error, such as one of the
        # caller's `on_progress`, nothing is left.
        except (asyncio.CancelledError, BrowserUseError):
            await self._release_part(keep=self._is_worth_keeping())
            raise
        except BaseException:
            await self._release_part(keep=False)
            raise
        return self._target

    # --- one attempt ------------------------------------------------------------------------

    async def _attempt(self) -> None:
        try:
            headers: dict[str, str] = {}
            if self._fits and self._size:
                headers["Range"] = f"bytes={self._size}-"
                headers["If-Range"] = str(self._version.validator)
            async with self._transport.storage.get(self._url, headers) as reply:
                if await self._prepare_part(reply):
                    await self._receive(reply)
            return
        except StorageError as error:
            outcome = error.outcome
        await self._recover(outcome)

    async def _prepare_part(self, reply: StorageReply) -> bool:
        """Prepare the part for a reply; False if a request for only the rest is better."""
        # Compressed bytes have other lengths and offsets than the ranges of the file.
        encoding = reply.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in {"", "identity"}:
            self._fits = False
            raise self._refused("the storage compressed it, which was not asked for")
        if reply.status == 206:
            if not (self._fits and self._version.is_continued_by(reply.headers, self._size)):
                self._fits = False
                raise StorageError(_unusable("the storage answered with another range"))
            return True
        return await self._begin(FileVersion.from_headers(reply.headers))

    async def _begin(self, version: FileVersion) -> bool:
        """Start a version from 0, or continue the part of an earlier download."""
        if version.total is not None:
            self._refuse_above_limit(version.total)
        tag = version.tag(f"{self._task_id}\n{self._target.name}") if version.is_resumable else None
        self._version = version
        if self._part is not None and tag is not None and tag == self._tag:
            # Counted separately, since growth resets the failures: a file that changes all the time
            # must not be downloaded for ever.
            self._restarts += self._size > 0
            await self._truncate()
        else:
            await self._release_part(keep=False)
            with self._disk():
                opens = partial(PartFile.open, self._target, tag)
                self._part = await open_in_thread(opens, _release_unused)
            self._tag = tag
        if 0 < self._size <= (version.total or 0):
            self._fits = True
            return False
        if self._size:  # longer than the finished file
            await self._truncate()
        self._fits = version.is_resumable
        return True

    async def _receive(self, reply: StorageReply) -> None:
        assert self._part is not None
        writer = PartWriter(self._part)
        received = self._size
        try:
            while chunk := await reply.read():
                received += len(chunk)
                self._refuse_above_limit(received)
                with self._disk():
                    await writer.write(chunk)
                if self._options.on_progress is not None:
                    self._options.on_progress(received, self._version.total)
        except StorageError:
            # Bytes before the cut count: the next attempt requests only the rest.
            with self._disk():
                await writer.flush()
            raise
        with self._disk():
            await writer.flush()
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
        """Wait or renew the URL before the next attempt, or raise if there is none."""
        if self._fits and self._size > self._grown_to:
            self._grown_to = self._size
            self._failures, self._renewed = 0, False
        self._failures += 1
        if outcome.status in EXPIRED_URL_STATUSES and not self._renewed:
            self._renewed = True
            self._emit_retry(outcome, 0.0)
            self._url = await self._renew()
            return
        pause = self._pause_after(outcome)
        if pause is None:
            raise self._refused(outcome.problem)
        self._emit_retry(outcome, pause)
        await self._transport.storage.sleep(pause)

    def _pause_after(self, outcome: Outcome) -> float | None:
        """Seconds until the next attempt, or None if it would be useless."""
        if outcome.status == 416:  # the range is beyond this version: start from 0
            self._fits = False
        elif not may_try_again(Effect.READS, outcome):
            return None
        policy = self._transport.retry
        if max(self._failures, self._restarts) >= policy.max_attempts:
            return None
        return policy.pause(outcome, self._failures, self._transport.rng)

    def _emit_retry(self, outcome: Outcome, pause: float) -> None:
        self._transport.observers.notify(
            RetryScheduled("download_file", self._task_id, self._failures, pause, outcome.problem)
        )

    def _refuse_above_limit(self, size: int) -> None:
        most = self._options.max_bytes
        if most is not None and size > most:
            self._fits = False
            raise self._refused(f"it is larger than max_bytes={most}")

    def _refused(self, problem: str) -> FileTransferError:
        advice = "nothing was written"
        if self._part is not None and self._is_worth_keeping():
            advice = f"{self._size} bytes are kept in {self._part.path.name} for the next call"
        return FileTransferError(
            f"{self._label} of task {self._task_id} could not be downloaded: {problem}; {advice}",
            task_id=self._task_id,
        )

    # --- the disk ---------------------------------------------------------------------------

    async def _truncate(self) -> None:
        assert self._part is not None
        with self._disk():
            await asyncio.to_thread(self._part.truncate)

    async def _commit(self) -> None:
        with self._disk():
            await asyncio.to_thread(self._commit_part)

    def _commit_part(self) -> None:
        assert self._part is not None
        target, task_id, overwrite = self._target, self._task_id, self._options.overwrite
        try:
            check_replaceable(target, task_id, overwrite=overwrite)
            self._part.commit(overwrite=overwrite)
        except (FileTransferError, FileExistsError):  # another file has got the name meanwhile
            self._fits = False  # a download that replaces it starts anew
            check_replaceable(target, task_id, overwrite=overwrite)
            raise  # after the part was closed

    @contextlib.contextmanager
    def _disk(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            self._fits = False  # the part itself may be what fills the disk
            raise self._refused(f"the file cannot be written ({error})") from error

    def _is_worth_keeping(self) -> bool:
        is_found = self._part is not None and self._part.is_found_again
        return is_found and self._fits and self._version.is_resumable and self._size > 0

    async def _release_part(self, *, keep: bool) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        # Shielded, because it must happen even if this task is cancelled a second time.
        await asyncio.shield(asyncio.to_thread(part.close if keep else part.discard))


def _release_unused(part: PartFile) -> None:
    """Close a part that was opened too late; the part of an earlier download stays."""
    if part.size:
        part.close()
    else:
        part.discard()


def _unusable(problem: str) -> Outcome:
    return Outcome(OutcomeKind.AMBIGUOUS, problem=problem)
