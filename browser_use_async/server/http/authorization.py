"""The guard of routes that need a key: key, scopes, and the entry in the audit trail."""

import logging
import re
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta

import attrs
from aiohttp import web

from browser_use_async.api.endpoint_table import ME
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.http.access import ApiKeyCheck
from browser_use_async.server.http.errors import HttpError, QuotaSpentError, http_error
from browser_use_async.server.keys.api_key import ApiKey, Scope
from browser_use_async.server.keys.audit_trail import AuditEntry
from browser_use_async.server.loops import log_failure, log_waiting

# In the trail, in place of a key's id, for actions on a live page.
LINK_ID = "live_url"

_logger = logging.getLogger(__name__)
_TOLD_EVERY = timedelta(minutes=1)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID_PARAMETERS = ("task_id", "profile_id", "webhook_id", "key_id")


@attrs.define
class Call:
    """One call of a client whose key was checked."""

    key: ApiKey
    subject: str | None = None  # the id of its subject, if the request does not name it


def call_by_link(owner: str, task_id: str) -> Call:
    """An action of a holder of a task's `live_url`, without a key."""
    return Call(ApiKey(LINK_ID, owner, frozenset({Scope.RUN})), task_id)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CallHandler = Callable[[web.Request, Call], Awaitable[web.StreamResponse]]
RecordEntry = Callable[[AuditEntry], Awaitable[None]]


class Authorization:
    """Checks the keys and scopes of calls, and records the calls in the audit trail."""

    def __init__(self, keys: ApiKeyCheck, record: RecordEntry, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._record_entry = record
        self._now = now
        self._told_at = datetime.min.replace(tzinfo=UTC)

    def guard(
        self, route: str, scopes: Collection[Scope], handler: CallHandler, *, is_read: bool
    ) -> Handler:
        """A handler of a route for those whose key has its scopes.

        A read leaves no entry unless the key may not make it: clients and pages poll many times.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            call: Call | None = None
            try:
                call = Call(await self._keys.check(request))
                _check_scopes(call.key, scopes)
                response = await handler(request, call)
            except (StorageUnavailableError, QuotaSpentError):
                raise  # no entry: it could not be written, or there would be too many
            except Exception as error:
                refusal = http_error(error)
                status = 500 if refusal is None else refusal.status
                if status != 404 or not is_read:
                    await self.record(route, request, call, status)
                if refusal is None:
                    raise
                if route == ME.name and refusal.status in {401, 403}:
                    refusal.body = False  # the call that answers whether the key is valid
                raise refusal from None
            if not is_read:
                await self.record(route, request, call, response.status)
            return response

        return handle

    def client_of(self, request: web.Request) -> str:
        """The client's address, or for IPv6 the network of one customer."""
        return self._keys.client_of(request)

    async def record(
        self, route: str, request: web.Request, call: Call | None, status: int = 200
    ) -> None:
        """Write an entry about a call; the key is None if it was not valid."""
        # Of calls without a valid key only guesses are recorded, whose number is limited: so no
        # client can push the entries of others out of the trail.
        if call is None and status != 401:
            return
        address = self._keys.address_of(request)
        entry = AuditEntry(
            at=self._now(),
            key_id=None if call is None else call.key.id,
            name=None if call is None else call.key.name,
            call=route,
            subject=None if call is None else call.subject or _subject_of(request),
            address=None if address is None else str(address),
            status=status,
        )
        try:
            await self._record_entry(entry)
        except StorageUnavailableError as error:
            # Once a minute: a client with a wrong key must not fill the log while the disk is full.
            if entry.at - self._told_at >= _TOLD_EVERY:
                self._told_at = entry.at
                log_waiting(_logger, "the audit trail lacks entries", error)
        except Exception as error:  # noqa: BLE001 - the call was carried out, and must be answered
            log_failure(_logger, "writing the audit trail", error)


def _subject_of(request: web.Request) -> str | None:
    """The id that a request names; any other text in its place may be a secret."""
    given = (request.match_info.get(each) for each in _ID_PARAMETERS)
    subject = next(filter(None, given), None) or request.query.get("task_id", "")
    return subject if _ID.fullmatch(subject) else None


def _check_scopes(key: ApiKey, scopes: Collection[Scope]) -> None:
    for scope in scopes:
        if scope not in key.scopes:
            missing = f"The API key does not have the scope {scope}, which this needs"
            raise HttpError(403, missing)
