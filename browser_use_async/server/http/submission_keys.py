"""Submission keys on the wire: a repeated creating call with its key gets the first answer.

A new key is claimed where something is created, so it is looked up only if that fails: no repeat is
refused for want of money or room. A search claims its key where it is paid, and is answered later.
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs
from aiohttp import web

from browser_use_async.api.converter import unstructure
from browser_use_async.api.endpoint_table import ENDPOINTS, LIST_TASKS
from browser_use_async.api.submission_key import (
    KEY_HEADER,
    REPLAYED_HEADER,
    SUPPORTED_HEADER,
    TRUE,
    parse_key,
)
from browser_use_async.api.validation import Problem
from browser_use_async.server.errors import (
    InvalidRequestError,
    RefusedError,
    StorageUnavailableError,
)
from browser_use_async.server.http.access_log import CALL_OF_REQUEST
from browser_use_async.server.http.responses import compact_json, id_of, json_response
from browser_use_async.server.storage import Database
from browser_use_async.server.storage.account import Account, Charge
from browser_use_async.server.storage.database import Claim
from browser_use_async.server.storage.submission_keys import (
    KeyedCall,
    KeyTakenError,
    SubmissionKeys,
    differing,
)
from browser_use_async.types.base import Response

KEYED = frozenset(each.name for each in ENDPOINTS if each.takes_key)
"""The calls that accept a key: those that create something or cost money."""
ADVERTISING = KEYED | {LIST_TASKS.name}
"""The calls whose answers say that keys are kept: those above, and the task list."""


def advertise(request: web.Request, response: web.StreamResponse) -> None:
    """Add headers to an answer: that keys are kept, and the received key."""
    if request.get(CALL_OF_REQUEST) in ADVERTISING:
        response.headers[SUPPORTED_HEADER] = TRUE
        given = ", ".join(request.headers.getall(KEY_HEADER, []))
        if given and given.isascii():  # a valid key is always ASCII; others could not be sent back
            response.headers[KEY_HEADER] = given


def key_of(request: web.Request) -> str | None:
    """The key of a request, or None if it has none.

    Raises:
        InvalidRequestError: Its header is no key.
    """
    given = request.headers.getall(KEY_HEADER, [])
    if not given:
        return None
    try:
        return parse_key(", ".join(given))  # a header in several lines is joined like this
    except ValueError as error:
        raise _refused("invalid", str(error)) from None


async def answer_once(
    keys: SubmissionKeys,
    name: str,
    key: str,
    request: attrs.AttrsInstance,
    create: Callable[[Claim], Awaitable[Response]],
) -> web.Response:
    """Answer a call with what it creates, or with the answer to an earlier call with its key.

    `create` creates something, with the claim in the same transaction.

    Raises:
        InvalidRequestError: The earlier call has made another request.
    """
    digests = keys.digests(name, key, request)

    async def claim(at: Database, created: Response) -> None:
        answer = compact_json(unstructure(created)).decode()
        resource_id = str(id_of(created))
        await keys.claim(at, KeyedCall(keys.owner, name, key, resource_id, answer, digests))

    first: KeyedCall | None = None
    while first is None:
        refusal: RefusedError | None = None
        try:
            created = await create(claim)
        except KeyTakenError:
            pass
        except StorageUnavailableError:
            raise
        except RefusedError as error:
            refusal = error  # perhaps because of an earlier call with this key
        else:
            return json_response(unstructure(created))
        first = await keys.find(name, key)
        if first is None and refusal is not None:
            raise refusal
    _require_same(first, digests)
    return _replayed(keys, first)


async def search_once(
    keys: SubmissionKeys,
    account: Account,
    name: str,
    key: str,
    request: attrs.AttrsInstance,
    search: Callable[[Charge], Awaitable[Response]],
) -> web.Response:
    """Answer a search, which is paid once for its key, in the transaction that claims the key.

    It waits while another search with its key is in progress. One that was paid and not answered,
    since it failed or the server ended, is carried out again without a charge.

    Raises:
        InvalidRequestError: The earlier call has made another request.
    """
    digests = keys.digests(name, key, request)
    keyed = keys.paid_search(name, key, digests)

    async def pay(cents: Decimal) -> None:
        await account.spend(cents, lambda at: keys.claim(at, keyed))

    async with keys.turn(name, key):
        while True:
            first = await keys.find(name, key)
            if first is not None:
                _require_same(first, digests)
                if first.answer:
                    return _replayed(keys, first)
            try:
                found = unstructure(await search(pay if first is None else _is_paid))
            except KeyTakenError:
                continue  # by another server, which has begun at the same moment
            # Another server may have answered first: then its answer is that of the key.
            if await keys.keep_answer(keyed, compact_json(found).decode()):
                return json_response(found)


async def _is_paid(_cents: Decimal) -> None:
    """Charge nothing: an earlier call with the key has paid."""


def _replayed(keys: SubmissionKeys, first: KeyedCall) -> web.Response:
    keys.replays[first.call] += 1
    body = first.answer.encode()
    return web.Response(body=body, headers={REPLAYED_HEADER: TRUE}, content_type="application/json")


def _require_same(first: KeyedCall, digests: Mapping[str, str]) -> None:
    """Refuse a request that differs from the first one with its key."""
    fields = differing(first.digests, digests)
    if not fields:
        return
    created = f"has created {first.resource_id} and " if first.resource_id else ""
    message = (
        f"this key belongs to another request, which {created}differs in {', '.join(fields)}; "
        "use another key for other work"
    )
    identity = {"id": first.resource_id} if first.resource_id else {}
    raise _refused("conflict", message, **identity, fields=fields)


def _refused(kind: str, message: str, **context: Any) -> InvalidRequestError:
    problem = Problem((KEY_HEADER,), message, f"idempotency_key_{kind}", context=context)
    return InvalidRequestError(("header", problem))
