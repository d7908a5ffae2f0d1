"""Addresses on this server: signed ones for files, secret ones for pages."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.server.storage import TaskRecord

__all__ = ["LinkFault", "Links"]


class LinkFault(StrEnum):
    """Why a signed link does not open, in the words of Amazon's S3."""

    UNSIGNED = "Access Denied"
    ALTERED = "The request signature we calculated does not match the signature you provided."
    EXPIRED = "Request has expired"

    @property
    def code(self) -> str:
        """S3's name for it."""
        return "SignatureDoesNotMatch" if self is LinkFault.ALTERED else "AccessDenied"


class Links:
    """Makes the addresses of one server and checks its signatures."""

    def __init__(
        self, url: str, lifetime: float, now: Callable[[], datetime], key: bytes | None = None
    ) -> None:
        self.url = url
        self._lifetime = lifetime
        self._now = now
        self._key = key or secrets.token_bytes(32)

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return self.url + API_PREFIX

    def live_page(self, record: TaskRecord) -> str | None:
        """The page to watch a task on, or None before it has started."""
        return f"{self.url}/live/{record.live_token}" if record.started else None

    def share_page(self, record: TaskRecord) -> str | None:
        """The public page of a task, or None unless it was asked for."""
        return f"{self.url}/share/{record.share_token}" if record.share_token else None

    def file(self, task_id: str, name: str) -> str:
        """A link to a file that needs no key and expires."""
        expires = str(int(self._now().timestamp() + self._lifetime))
        signature = self._signature("file", task_id, name, expires)
        place = f"{self.url}/files/{task_id}/{quote(name, safe='')}"
        return f"{place}?expires={expires}&signature={signature}"

    def fault(self, task_id: str, name: str, expires: str, signature: str) -> LinkFault | None:
        """Why a link to a file does not open, or None if it does."""
        return self._fault(expires, signature, "file", task_id, name)

    def upload(self, name: str, content_type: str) -> str:
        """A link to put a file at, which needs no key and expires."""
        expires = str(int(self._now().timestamp() + self._lifetime))
        signature = self._signature("upload", name, content_type, expires)
        place = f"{self.url}/uploads/{quote(name, safe='')}"
        return f"{place}?expires={expires}&signature={signature}"

    def upload_fault(
        self, name: str, content_type: str, expires: str, signature: str
    ) -> LinkFault | None:
        """Why a link to put a file at does not open, or None if it does."""
        return self._fault(expires, signature, "upload", name, content_type)

    def _fault(self, expires: str, signature: str, *signed: str) -> LinkFault | None:
        if not expires or not signature:
            return LinkFault.UNSIGNED
        right = self._signature(*signed, expires)
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
            return LinkFault.ALTERED
        return LinkFault.EXPIRED if self._now().timestamp() >= int(expires) else None

    def _signature(self, *signed: str) -> str:
        message = "\n".join(signed).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
