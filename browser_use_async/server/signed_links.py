"""Links to this server: signed ones for files, secret ones for pages."""

import hashlib
import hmac
import math
import secrets
from collections.abc import Callable
from copy import copy
from datetime import datetime
from enum import StrEnum
from typing import Self
from urllib.parse import quote

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.server.records import DEFAULT_OWNER, RemoteTask
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.records import TaskRow, read_remote

HANDOFF_SECONDS = 60
"""For how long a link from one server to another is good."""


class LinkFault(StrEnum):
    """Why a signed link is refused, in the words of Amazon S3."""

    UNSIGNED = "Access Denied"
    ALTERED = "The request signature we calculated does not match the signature you provided."
    EXPIRED = "Request has expired"
    USED = "The link has been used for another upload; ask for a new one"

    @property
    def code(self) -> str:
        """The error code of S3."""
        return "SignatureDoesNotMatch" if self is LinkFault.ALTERED else "AccessDenied"


class Links:
    """Creates the links of one server, and checks their signatures."""

    def __init__(
        self,
        url: str,
        lifetime: float,
        now: Callable[[], datetime],
        key: bytes | None = None,
        *,
        page_lifetime: float = math.inf,
    ) -> None:
        self.url = url
        self.lifetime = lifetime  # seconds for which links to files are good
        self._now = now
        self._page_lifetime = page_lifetime  # seconds after the end of a task
        # Links die with the process unless the caller brings a key that outlives it.
        self._key = key or secrets.token_bytes(32)
        self.owner = DEFAULT_OWNER
        self.may_steer = True

    def of(self, owner: str, *, may_steer: bool) -> Self:
        """The links that an owner is given; without `may_steer` none that steers a task."""
        links = copy(self)
        links.owner, links.may_steer = owner, may_steer
        return links

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return self.url + API_PREFIX

    def live_url(self, record: TaskRecord | TaskRow) -> str | None:
        """The live page of a task; None for keys that may not steer it."""
        if not self.may_steer:
            return None
        remote = _remote(record)
        return (remote and remote.live_url) or f"{self.url}/live/{record.live_token}"

    def share_url(self, record: TaskRecord) -> str | None:
        """The public page of a task, or None unless it was asked for."""
        if record.share_token is None:
            return None
        remote = _remote(record)
        return (remote and remote.share_url) or f"{self.url}/share/{record.share_token}"

    def has_expired(self, record: TaskRecord) -> bool:
        """Whether the pages of a task can no longer be looked at: it ended too long ago."""
        ended = record.finished_at
        return ended is not None and ((self._now() - ended).total_seconds() > self._page_lifetime)

    def file_url(self, task_id: str, name: str) -> str:
        """A signed link to a file, which needs no key and expires."""
        expires = str(int(self._now().timestamp() + self.lifetime))
        signature = self._signature("file", task_id, name, expires)
        place = f"{self.url}/files/{task_id}/{quote(name, safe='')}"
        return f"{place}?expires={expires}&signature={signature}"

    def file_fault(self, task_id: str, name: str, expires: str, signature: str) -> LinkFault | None:
        """Why a link to a file is refused, or None if it is valid."""
        return self._fault(expires, signature, "file", task_id, name)

    def handoff_url(self, node_url: str, worker: str, task_id: str, page: str) -> str:
        """A link to the page of a task on the server that has it, good for a minute."""
        expires = str(int(self._now().timestamp() + HANDOFF_SECONDS))
        signature = self._signature("handoff", worker, task_id, page, expires)
        place = f"{node_url.rstrip('/')}/handoff/{page}/{task_id}"
        return f"{place}?expires={expires}&signature={signature}"

    def handoff_fault(
        self, worker: str, task_id: str, page: str, expires: str, signature: str
    ) -> LinkFault | None:
        """Why a link from another server is refused, or None if it is valid."""
        return self._fault(expires, signature, "handoff", worker, task_id, page)

    def upload_url(self, name: str, content_type: str) -> str:
        """A signed link for the upload of a file, which needs no key and expires."""
        expires = str(int(self._now().timestamp() + self.lifetime))
        # Each link is good for one upload, so that no two of one second may be the same.
        use = secrets.token_hex(8)
        owner = self.owner
        signature = self._signature("upload", name, content_type, use, owner, expires)
        place = f"{self.url}/uploads/{quote(name, safe='')}"
        whose = "" if owner == DEFAULT_OWNER else f"&owner={owner}"
        return f"{place}?use={use}{whose}&expires={expires}&signature={signature}"

    def upload_fault(
        self, name: str, content_type: str, use: str, owner: str, expires: str, signature: str
    ) -> LinkFault | None:
        """Why an upload link is refused, or None if it is valid."""
        return self._fault(expires, signature, "upload", name, content_type, use, owner)

    def _fault(self, expires: str, signature: str, *signed: str) -> LinkFault | None:
        if not expires or not signature:
            return LinkFault.UNSIGNED
        right = self._signature(*signed, expires)
        # In constant time: the duration must not show how much of a guess was right.
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
            return LinkFault.ALTERED
        # The signature covers `expires`, so it is a number of ours from here on.
        return LinkFault.EXPIRED if self._now().timestamp() >= int(expires) else None

    def _signature(self, *signed: str) -> str:
        # The kind comes first: a download link must not be valid for an upload.
        message = "\n".join(signed).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _remote(record: TaskRecord | TaskRow) -> RemoteTask | None:
    """The pages that another service has for a task; None for one that this server does."""
    remote = record.remote
    return read_remote(remote) if isinstance(remote, str) else remote
