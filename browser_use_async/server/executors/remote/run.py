"""What both versions of the hosted API are for one task and share, and how a task is followed."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from decimal import Decimal, InvalidOperation
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, ClassVar

import attrs
from yarl import URL

from browser_use_async.errors import WebhookVerificationError
from browser_use_async.server.executors.protocol import Assignment, Step
from browser_use_async.server.executors.remote.account import RemoteProfiles
from browser_use_async.server.executors.remote.client import (
    MAX_REMOTE_FILE,
    CloudClient,
    RefusedError,
    clean,
)
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.types import TaskStatus
from browser_use_async.webhooks import TaskStatusUpdate, unwrap

_logger = logging.getLogger(__name__)

_PNG = b"\x89PNG\r\n\x1a\n"
_LONGEST_NAME = 200
_GONE_SECONDS = 10.0  # for which the service may not know a task that it has created
_MOST_DOLLARS = 1_000_000  # more is no price, and has no room in the account


@attrs.frozen
class News:
    """What a look at a remote task has shown."""

    status: TaskStatus  # where it stands, in the words of v1
    steps: Sequence[Step] = ()  # those that were not told before
    cents: Decimal | None = None  # what it has cost so far
    live_url: str | None = attrs.field(default=None, repr=False)
    reason: str = ""  # why it failed, in the service's words


@attrs.frozen
class Results:
    """What a remote task has left behind."""

    output: str | None = None
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cents: Decimal | None = None  # what it has cost in all


class RemoteRun(ABC):
    """One task on the service; `identity` names it there, and grows with `fence` and `create`."""

    statuses: ClassVar[Mapping[str, TaskStatus]]  # the version's words for where a task stands
    fence_name: ClassVar[str]  # what the identity calls the empty thing that a paid create names
    paid_name: ClassVar[str]  # and what is paid for

    def __init__(
        self, client: CloudClient, profiles: RemoteProfiles, assignment: Assignment
    ) -> None:
        self.identity = dict(assignment.remote.identity)
        self._client = client
        self._profiles = profiles
        self._assignment = assignment
        self._looks = 0
        self._live_url: str | None = None

    @property
    def is_created(self) -> bool:
        """Whether the identity names what is paid for."""
        return self.paid_name in self.identity

    @property
    def has_fence(self) -> bool:
        """Whether the identity names the empty thing that a paid create names."""
        return self.fence_name in self.identity

    @abstractmethod
    async def fence(self) -> None:
        """Create the empty thing. A lost answer leaves one that is of no use and costs little."""

    @abstractmethod
    async def prepare(self) -> None:
        """Give it the task's files."""

    @abstractmethod
    async def create(self) -> None:
        """Create what is paid for, in one request; `NoAnswerError` leaves open whether it was."""

    @abstractmethod
    async def find(self) -> bool:
        """Ask the fence whether it was created, until the answer is certain."""

    @abstractmethod
    async def look(self) -> News:
        """See what is new."""

    @abstractmethod
    async def share(self) -> str | None:
        """The address of a public page, or None where there is none."""

    @abstractmethod
    async def results(self) -> Results:
        """Fetch what it has left behind, and see to it that nothing there costs any more."""

    @abstractmethod
    async def stop(self) -> Decimal | None:
        """Stop it and its browser, and return what it has cost."""

    async def _profile_id(self) -> str | None:
        """The service's profile, if the task names one."""
        assignment = self._assignment
        if "browser_profile_id" not in assignment.requested:
            return None
        return await self._profiles.id_of(assignment.profile_id, assignment.profile_name)

    def _status(self, word: Any) -> TaskStatus:
        """What the version's word for a status means."""
        status = self.statuses.get(str(word))
        if status is None:
            # New words come without notice. One that does not end a task is no reason to end it.
            _logger.warning("the hosted service says of a task that it is %r", clean(str(word)))
            return TaskStatus.RUNNING
        return status

    async def _recording(self, view: Any, ask: Callable[[], Awaitable[Any]]) -> dict[str, bytes]:
        """The film, by the ending of its name, once the view that `ask` brings has a link to it."""
        settings = self._client.settings
        loop = asyncio.get_running_loop()
        give_up = loop.time() + settings.recording_seconds
        while (url := page_url(view.get("recordingUrl"))) is None:
            if view.get("recordingAvailable") is False or loop.time() >= give_up:
                return {}
            await asyncio.sleep(settings.poll_seconds)
            view = await ask()
        content = await self._client.fetch(url)
        if content is None:
            return {}
        return {"webm" if URL(url).path.lower().endswith(".webm") else "mp4": content}


def page_url(value: Any) -> str | None:
    """An address of the service that a person may open, or None."""
    try:
        is_page = isinstance(value, str) and URL(value).scheme in {"http", "https"}
    except ValueError:
        return None
    return value if is_page else None


def cents_of(*amounts: Any) -> Decimal | None:
    """The sum of amounts in US dollars, in cents; None if the first one is not told."""
    found = [_amount(each) for each in amounts]
    if not found or found[0] is None:
        return None
    return sum((each for each in found if each is not None), Decimal(0)) * 100


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
    if amount is None or not amount.is_finite() or not 0 <= amount <= _MOST_DOLLARS:
        return None
    return amount


def file_name(path: str, taken: Mapping[str, bytes]) -> str:
    """A name of its own for a file of the service, without folders."""
    name = PurePosixPath(path.replace("\\", "/")).name or "file"
    name = "".join(each for each in name if each.isprintable())[-_LONGEST_NAME:] or "file"
    stem, dot, suffix = name.rpartition(".")
    number = 2
    while name in taken:
        name = f"{stem}-{number}.{suffix}" if dot else f"{suffix}-{number}"
        number += 1
    return name


async def fetch_files(
    client: CloudClient, links: AsyncIterator[tuple[str, Any]]
) -> dict[str, bytes]:
    """The files behind named links, as far as they can be fetched and fit."""
    files = dict[str, bytes]()
    size = 0
    async for path, url in links:
        content = await client.fetch(url) if page_url(url) else None
        if content is None or size + len(content) > MAX_REMOTE_FILE:
            _logger.warning("the file %r of a remote task is not kept", path)
            continue
        size += len(content)
        files[file_name(path, files)] = content
    return files


async def fetch_picture(client: CloudClient, url: Any) -> bytes | None:
    """The picture behind a link, as PNG; None if there is none that can be shown."""
    content = await client.fetch(url) if page_url(url) else None
    if content is None or content.startswith(_PNG):
        return content
    return await asyncio.to_thread(_as_png, content)


def _as_png(content: bytes) -> bytes | None:
    try:
        from PIL import Image  # noqa: PLC0415 - of the extra `server`; without it one is drawn
    except ImportError:
        return None
    png = BytesIO()
    try:
        with Image.open(BytesIO(content), formats=("JPEG", "WEBP", "GIF")) as picture:
            picture.convert("RGB").save(png, "PNG")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return png.getvalue()


class TaskPoller:
    """Polls remote tasks; an event of the service about one of them wakes whoever waits for it."""

    def __init__(self, settings: CloudSettings) -> None:
        self._secret = settings.webhook_secret
        self._seconds = settings.poll_seconds
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def news(self, run: RemoteRun) -> AsyncGenerator[News]:
        """Look at the task again and again, until it has ended."""
        loop = asyncio.get_running_loop()
        gone_since = None
        with self._woken(run.identity.values()) as event:
            while True:
                event.clear()  # what comes from here on may be newer than the look
                try:
                    news = await run.look()
                except RefusedError as error:
                    if error.status != 404:
                        raise
                    gone_since = gone_since or loop.time()
                    if loop.time() - gone_since > _GONE_SECONDS:
                        raise
                else:
                    gone_since = None
                    yield news
                    if news.status.is_terminal:
                        return
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), self._seconds)

    def receive(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Take a webhook call, and return the status of the answer."""
        try:
            event = unwrap(body, headers, self._secret or "")
        except WebhookVerificationError as error:
            _logger.warning("a webhook call of the hosted service is refused: %s", error)
            return error.status
        if isinstance(event, TaskStatusUpdate):
            for name in (event.task_id, event.session_id):
                for each in self._waiting.get(name, ()):
                    each.set()
        return 200

    @contextmanager
    def _woken(self, names: Iterable[str]) -> Generator[asyncio.Event]:
        """An event that is set whenever the service tells of one of the names."""
        event, known = asyncio.Event(), list(names)
        for name in known:
            self._waiting.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            for name in known:
                self._waiting[name].discard(event)
                if not self._waiting[name]:
                    del self._waiting[name]
