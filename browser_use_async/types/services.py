"""Requests and responses of the API sections Files, Search, User and Health Check."""

from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Response, Unset, ruled
from browser_use_async.types.secrets import hidden_url, hidden_urls
from browser_use_async.types.tasks import IDENTIFIER

_TEXT = FieldRule(FieldKind.TEXT, required=True, nullable=False, min_length=1)
_SHOWN_WIDTH = 640  # pixels, of a picture in a notebook


@attrs.define(repr=False)
class Balance(Response):
    """The balance of the account. API page: Check Balance.

    Attributes:
        cents: The credit in US cents; exact, because the API sends a string.
    """

    # The name has the unit, and that of the API has not.
    cents: Decimal = attrs.field(metadata={"json_name": "balance"})

    def __repr__(self) -> str:
        return f"{type(self).__name__}(cents={self.cents.normalize():f})"

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """The JSON schema: the API's field is the amount, and the attribute's name has the unit."""
        written = super().__get_pydantic_json_schema__(schema, handler)
        balance = {"balance": written["properties"]["cents"]}
        return {**written, "properties": balance, "required": ["balance"]}


@attrs.frozen
class UploadRequest:
    """The body of the request for an upload URL. API page: Upload File Presigned URL.

    Attributes:
        file_name: The name under which tasks will include the file.
        content_type: Its media type; the upload itself must have the same.
    """

    file_name: str = ruled(_TEXT)
    content_type: str = ruled(_TEXT)


@attrs.define
class UploadUrl(Response):
    """The address for an upload.

    Attributes:
        upload_url: A signed URL that expires.
    """

    upload_url: str = attrs.field(repr=hidden_url)


@attrs.frozen
class TaskFile:
    """Which output file of which task a call is about.

    Attributes:
        task_id: The id of the task.
        file_name: The name of the file, as `output_files` of the task has it.
    """

    task_id: str = ruled(IDENTIFIER)
    file_name: str = ruled(IDENTIFIER)


@attrs.define
class TaskMedia(Response):
    """Recordings of a completed task. API page: Get Task Media.

    Attributes:
        recordings: Signed URLs that expire.
    """

    recordings: list[str] = attrs.field(factory=list, repr=hidden_urls)

    def _repr_html_(self) -> str:
        """The HTML for notebooks: links to the recordings, until these expire."""
        from browser_use_async.types.notebook import links_html  # noqa: PLC0415

        return links_html("Recordings", self.recordings, "watch the film")


@attrs.define
class TaskScreenshots(Response):
    """Screenshots of a task. API page: Get Task Screenshots.

    Attributes:
        screenshots: Signed URLs of PNG files that expire.
    """

    screenshots: list[str] = attrs.field(factory=list, repr=hidden_urls)


@attrs.frozen
class Screenshot:
    """One picture of a task, in memory; a notebook shows it as the last value of a cell.

    Attributes:
        file_name: The name at the end of its URL.
        data: The bytes of the picture.
    """

    file_name: str
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")

    @property
    def content_type(self) -> str:
        """`image/png` from the service; `image/jpeg` or `image/webp` from other servers."""
        if self.data.startswith(b"\xff\xd8\xff"):
            return "image/jpeg"
        return "image/webp" if self.data[8:12] == b"WEBP" else "image/png"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, object], dict[str, object]]:
        """The HTML for notebooks, no wider than a page of text."""
        shown = {"width": _SHOWN_WIDTH}
        return {self.content_type: self.data, "text/plain": repr(self)}, {self.content_type: shown}


@attrs.define
class OutputFile(Response):
    """The address of an output file. API page: Get Task Output File.

    Attributes:
        download_url: A signed URL that expires.
    """

    download_url: str = attrs.field(repr=hidden_url)


_DEPTH = FieldRule(FieldKind.INTEGER, nullable=False, minimum=2, maximum=5, default=2)


@attrs.frozen
class SimpleSearchRequest:
    """The body of a search over several websites. API page: Simple Search.

    Attributes:
        query: The text to search for.
        max_websites: How many websites at most, 1 to 10.
        depth: How deep each is read, 2 to 5.
    """

    query: str = ruled(_TEXT)
    max_websites: int | Unset = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=10, default=5)
    )
    depth: int | Unset = ruled(_DEPTH)


@attrs.frozen
class SearchUrlRequest:
    """The body of a search in one website. API page: Search URL.

    Attributes:
        url: The page to begin with.
        query: The text to search for.
        depth: How deep it is read, 2 to 5.
    """

    url: str = ruled(_TEXT)
    query: str = ruled(_TEXT)
    depth: int | Unset = ruled(_DEPTH)


@attrs.define
class SearchResult(Response):
    """The result of one website.

    Attributes:
        url: The page that was read.
        content: The passages that fit the query.
    """

    url: str
    content: str


@attrs.define
class SearchResults(Response):
    """The results of several websites.

    Attributes:
        results: One for each website with fitting passages.
    """

    results: list[SearchResult] = attrs.field(factory=list)
