"""Links to this server: signed ones for files, secret ones for pages."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from enum import StrEnum
from typing import Self
from urllib.parse import quote

import attrs

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.storage import TaskRecord

FILE_SECONDS = 3600.0
"""For how long links to files are good."""
PAGE_SECONDS = 30 * 86400.0
"""For how long the live and public pages of a task can be opened after its end."""
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


@attrs.define(eq=False, repr=False)
class Links:
    """Creates the links of one server, and checks their signatures."""

    url: str
    _now: Callable[[], datetime]
    _key: bytes  # outlives the process, and so do the links
    owner: str = attrs.field(default=DEFAULT_OWNER, init=False)
    may_steer: bool = attrs.field(default=True, init=False)

    def of(self, owner: str, *, may_steer: bool) -> Self:
        """The links that an owner is given; without `may_steer` none that steers a task."""
        links = copy(self)
        links.owner, links.may_steer = owner, may_steer
        return links

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return self.url + API_PREFIX

    def live_url(self, token: str) -> str | None:
        """The live page of a task with its token; None for keys that may not steer it."""
        return f"{self.url}/live/{token}" if self.may_steer else None

    def share_url(self, record: TaskRecord) -> str | None:
        """The public page of a task, or None unless it was asked for."""
        if record.share_token is None:
            return None
        return f"{self.url}/share/{record.share_token}"

    def has_expired(self, record: TaskRecord) -> bool:
        """Whether the pages of a task can no longer be looked at: it ended too long ago."""
        ended = record.finished_at
        return ended is not None and (self._now() - ended).total_seconds() > PAGE_SECONDS

    def file_url(self, task_id: str, name: str) -> str:
        """A signed link to a file, which needs no key and expires."""
        place = f"{self.url}/files/{task_id}/{quote(name, safe='')}?"
        return self._signed(place, FILE_SECONDS, "file", task_id, name)

    def handoff_url(self, node_url: str, worker: str, task_id: str, page: str, token: str) -> str:
        """A link to the page of a task on the server that has it, good for a minute.

        It does not contain the token of the page, and is good while the page has this token.
        """
        place = f"{node_url.rstrip('/')}/handoff/{page}/{task_id}?"
        return self._signed(place, HANDOFF_SECONDS, "handoff", worker, task_id, page, token)

    def upload_url(self, name: str, content_type: str) -> str:
        """A signed link for the upload of a file, which needs no key and expires."""
        # Each link is good for one upload, so that no two of one second may be the same.
        use, owner = secrets.token_hex(8), self.owner
        whose = "" if owner == DEFAULT_OWNER else f"owner={owner}&"
        place = f"{self.url}/uploads/{quote(name, safe='')}?use={use}&{whose}"
        return self._signed(place, FILE_SECONDS, "upload", name, content_type, use, owner)

    def fault(self, query: Mapping[str, str], kind: str, *signed: str) -> LinkFault | None:
        """Why a link of a kind with a query is refused, or None if it is valid."""
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not expires or not signature:
            return LinkFault.UNSIGNED
        right = self._signature(kind, *signed, expires)
        # In constant time: the duration must not show how much of a guess was right.
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")):
            return LinkFault.ALTERED
        # The signature covers `expires`, so it is a number of ours from here on.
        return LinkFault.EXPIRED if self._now().timestamp() >= int(expires) else None

    def _signed(self, place: str, seconds: float, kind: str, *signed: str) -> str:
        expires = str(int(self._now().timestamp() + seconds))
        return f"{place}expires={expires}&signature={self._signature(kind, *signed, expires)}"

    def _signature(self, *signed: str) -> str:
        # The kind comes first: a download link must not be valid for an upload.
        message = "\n".join(signed).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
