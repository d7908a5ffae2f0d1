"""Uploads: a signed URL from the API, then the bytes to where it points."""

from browser_use_async.api.endpoint_table import Effect
from browser_use_async.api.files import FileEndpoints
from browser_use_async.errors import FileTransferError
from browser_use_async.events import RetryScheduled
from browser_use_async.files.sources import Source, UploadFile, read_source
from browser_use_async.files.transfer import EXPIRED_URL_STATUSES
from browser_use_async.transport.client import Transport
from browser_use_async.transport.idempotency import may_try_again
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.transport.retry import Retrying
from browser_use_async.transport.signed_urls import SignedUrl


class Uploader:
    """Uploads files for a session."""

    def __init__(self, transport: Transport, files: FileEndpoints) -> None:
        self._transport = transport
        self._files = files

    async def upload(self, source: Source, file_name: str | None, content_type: str | None) -> str:
        """Upload a file; the same bytes are sent again after a transient fault.

        Raises:
            BrowserUseError: It was not uploaded.
        """
        self._transport.bind()
        # Read whole before the URL is requested: a retry sends the same bytes, and a signed URL
        # expires while a slow source is read.
        upload = await read_source(source, file_name, content_type)
        outcome, attempts = await self._put(upload)
        if outcome.status in EXPIRED_URL_STATUSES:  # a new URL may be enough
            outcome, attempts = await self._put(upload)
        if outcome.kind is OutcomeKind.ACCEPTED:
            return upload.name
        times = "" if attempts == 1 else f" after {attempts} attempts"
        raise FileTransferError(
            f"{upload.name} could not be uploaded{times}: {outcome.problem}; uploading it again "
            "is safe"
        )

    async def _put(self, upload: UploadFile) -> tuple[Outcome, int]:
        """Send the file to a new URL; the last outcome, and how many attempts were made."""
        url = await self._new_url(upload)
        transport = self._transport

        def emit_retry(outcome: Outcome, failures: int, pause: float) -> None:
            transport.emit(RetryScheduled("upload_file", None, failures, pause, outcome.problem))

        async def put() -> Outcome:
            return await transport.storage.put(url, upload.stored)

        # PUT of the same bytes to the same URL is idempotent, whatever became of the first.
        first = await put()
        if transport.retry.max_attempts == 1 or not may_try_again(Effect.IDEMPOTENT, first):
            return first, 1
        retrying = Retrying(
            transport.retry, Effect.IDEMPOTENT, transport.rng, emit_retry, transport.storage.sleep
        )
        return await retrying.retry_after_failure(first, put)

    async def _new_url(self, upload: UploadFile) -> SignedUrl:
        given = await self._files.create_upload_url(upload.name, upload.stored.content_type)
        what = f"{upload.name} was not uploaded: the URL that the API gave"
        return self._transport.storage.checked(SignedUrl(given.upload_url), what)
