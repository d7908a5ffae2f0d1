"""One download from its first request to the finished file."""

# After a cut connection the download resumes with `Range` and `If-Range`, any number of times while
# the file grows; without growth as often as the session's `RetryPolicy` says. If a reply does not
# match the bytes received so far (200 instead of 206, another range, 416, another ETag), the file
# starts again from 0, so that bytes of two versions are never mixed. The length is compared with
# the announced one. A reply without a length is accepted if its framing ended properly: the last
# chunk came, or the connection that marks the end was closed and not reset. If the storage itself
# cuts a body of the latter kind, it cannot be distinguished from a whole one.
#
# A download that does not succeed leaves nothing.

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import attrs

from browser_use_async.api.endpoint_table import Effect
from browser_use_async.api.limits import is_count
from browser_use_async.errors import FileTransferError, InvalidRequestError
from browser_use_async.events import RetryScheduled
from browser_use_async.files.names import check_replaceable
from browser_use_async.files.temporary_file import TemporaryFile
from browser_use_async.transport.client import Transport
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.transport.retry import may_try_again
from browser_use_async.transport.signed_urls import SignedUrl
from browser_use_async.transport.storage import StorageError, StorageReply

# With these statuses storages refuse an expired signed URL; S3 answers 403.
EXPIRED_URL_STATUSES = frozenset({400, 401, 403})
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,1000}"')
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)

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


@attrs.frozen
class FileVersion:
    """The version of a file in a reply."""

    # A strong ETag, else a `Last-Modified` that is old enough to be unique, else None. A weak ETag
    # does not guarantee equal bytes, so a file must not be continued by it.
    validator: str | None = None
    total: int | None = None  # the file's size in bytes, or None if the reply does not say

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "FileVersion":
        """The version in a reply with the whole file."""
        etag = headers.get("ETag", "")
        length = headers.get("Content-Length", "")
        return cls(
            etag if _STRONG_ETAG.fullmatch(etag) else _stable_date(headers),
            int(length) if _DIGITS.fullmatch(length) else None,
        )

    @property
    def is_resumable(self) -> bool:
        """Whether the rest of this version can be requested."""
        return self.validator is not None and self.total is not None

    def is_continued_by(self, headers: Mapping[str, str], offset: int) -> bool:
        """Whether a partial reply has the rest of this version."""
        if self.total is None:
            return False
        expected = f"bytes {offset}-{self.total - 1}/{self.total}"
        etag = headers.get("ETag")
        # If the validator is a date, there is no ETag to compare: `If-Range` has decided.
        same = etag is None or etag == self.validator or not str(self.validator).startswith('"')
        return same and headers.get("Content-Range", "").strip().lower() == expected


def _stable_date(headers: Mapping[str, str]) -> str | None:
    """`Last-Modified`, unless the file may have changed again within the same second."""
    # RFC 9110, 8.8.2.2: a date is a strong validator only if `Date` is a second later.
    modified, now = _date(headers.get("Last-Modified")), _date(headers.get("Date"))
    if modified is None or now is None or (now - modified).total_seconds() < 1:
        return None
    return headers["Last-Modified"]


def _date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


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
    _file: TemporaryFile | None = None
    _ended: bool = False  # whether a body without a length came to its proper end
    _fits: bool = False  # whether the bytes so far may be continued with a range
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
        finally:
            if self._file is not None:
                await self._file.discard()
        return self._target

    # --- one attempt ------------------------------------------------------------------------

    async def _attempt(self) -> None:
        try:
            headers: dict[str, str] = {}
            if self._fits and self._size:
                headers["Range"] = f"bytes={self._size}-"
                headers["If-Range"] = str(self._version.validator)
            async with self._transport.storage.get(self._url, headers) as reply:
                await self._prepare(reply)
                await self._receive(reply)
            return
        except StorageError as error:
            outcome = error.outcome
        await self._recover(outcome)

    async def _prepare(self, reply: StorageReply) -> None:
        """Prepare the file for a reply, which continues it or starts it again."""
        # Compressed bytes have other lengths and offsets than the ranges of the file.
        encoding = reply.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in {"", "identity"}:
            raise self._refused("the storage compressed it, which was not asked for")
        if reply.status == 206:
            if not (self._fits and self._version.is_continued_by(reply.headers, self._size)):
                self._fits = False
                raise StorageError(_unusable("the storage answered with another range"))
            return
        self._version = version = FileVersion.from_headers(reply.headers)
        self._fits = version.is_resumable
        if version.total is not None:
            self._refuse_above_limit(version.total)
        with self._disk():
            if self._file is None:
                self._file = TemporaryFile(self._target)
                await self._file.open()
            elif self._size:
                # Counted separately, since growth resets the failures: a file that changes all the
                # time must not be downloaded for ever.
                self._restarts += 1
                await self._file.truncate()

    async def _receive(self, reply: StorageReply) -> None:
        assert self._file is not None
        # Bytes before a cut count: the next attempt requests only the rest.
        while chunk := await reply.read():
            self._refuse_above_limit(self._size + len(chunk))
            with self._disk():
                await self._file.add(chunk)
            if self._options.on_progress is not None:
                self._options.on_progress(self._size, self._version.total)
        if self._version.total is None:
            self._ended = True
        elif self._size != self._version.total:
            self._fits = self._size < self._version.total
            raise StorageError(_unusable("the storage sent another number of bytes than promised"))

    def _is_whole(self) -> bool:
        return self._file is not None and (self._ended or self._size == self._version.total)

    @property
    def _size(self) -> int:
        return 0 if self._file is None else self._file.size

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
            raise self._refused(f"it is larger than max_bytes={most}")

    def _refused(self, problem: str) -> FileTransferError:
        return FileTransferError(
            f"{self._label} of task {self._task_id} could not be downloaded: {problem}; nothing "
            "was written",
            task_id=self._task_id,
        )

    # --- the disk ---------------------------------------------------------------------------

    async def _commit(self) -> None:
        assert self._file is not None
        overwrite = self._options.overwrite
        check = partial(check_replaceable, self._target, self._task_id, overwrite=overwrite)
        with self._disk():
            try:
                await asyncio.to_thread(check)
                await self._file.commit(overwrite=overwrite)
            except FileExistsError:  # another file has got the name meanwhile
                await asyncio.to_thread(check)
                raise

    @contextlib.contextmanager
    def _disk(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise self._refused(f"the file cannot be written ({error})") from error


def _unusable(problem: str) -> Outcome:
    return Outcome(OutcomeKind.AMBIGUOUS, problem=problem)
