"""Webhook calls of a sender, signed by the specification's rule and not by this package."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import attrs

__all__ = ["SECRET", "Reply", "body_of", "event", "headers_of", "post", "raw_request", "signature"]

SECRET = "canary-of-a-receiver-secret"


def event(status: str = "finished", task_id: str = "", **more: Any) -> dict[str, Any]:
    """An event of the service; each call returns another one."""
    return {
        "type": "agent.task.status_update",
        "timestamp": datetime.now(UTC).isoformat(),
        "payload": {
            "session_id": str(uuid.uuid4()),
            "task_id": task_id or str(uuid.uuid4()),
            "status": status,
            "metadata": {},
            **more,
        },
    }


def body_of(value: object) -> bytes:
    """The JSON of an event, as the service writes it."""
    return json.dumps(value).encode()


def signature(message: bytes, stamp: str, secret: str = SECRET) -> str:
    """The hexadecimal HMAC of a message under a timestamp."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + message, hashlib.sha256).hexdigest()


def headers_of(body: bytes, *, secret: str = SECRET, age: float = 0.0) -> dict[str, str]:
    """The headers of a call, with a signature over the canonical JSON if there is one."""
    stamp = str(int(time.time() - age))
    try:
        canonical = json.dumps(json.loads(body), separators=(",", ":"), sort_keys=True).encode()
    except (ValueError, RecursionError):
        canonical = body
    return {
        "Content-Type": "application/json",
        "X-Browser-Use-Timestamp": stamp,
        "X-Browser-Use-Signature": signature(canonical, stamp, secret),
    }


@attrs.frozen
class Reply:
    """An answer."""

    status: int
    text: str
    headers: Mapping[str, str]


async def post(
    http: aiohttp.ClientSession,
    url: str,
    value: object,
    *,
    secret: str = SECRET,
    age: float = 0.0,
    **options: Any,
) -> Reply:
    """Send an event, or raw bytes; `headers` are added, and a value of None removes one."""
    body = value if isinstance(value, bytes) else body_of(value)
    headers = {**headers_of(body, secret=secret, age=age), **options.pop("headers", {})}
    sent = {name: text for name, text in headers.items() if text is not None}
    method = options.pop("method", "POST")
    skipped = ["Content-Type"] if headers.get("Content-Type") is None else []
    async with http.request(
        method, url, data=body, headers=sent, skip_auto_headers=skipped, **options
    ) as reply:
        return Reply(reply.status, await reply.text(), dict(reply.headers))


async def raw_request(url: str, lines: Sequence[str], body: bytes = b"") -> bytes:
    """Send a POST with exactly these header lines, and return all bytes until the server closes."""
    host, _, path = url.removeprefix("http://").partition("/")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = [f"POST /{path} HTTP/1.1", f"Host: {host}", *lines, "", ""]
    try:
        writer.write("\r\n".join(head).encode("latin-1") + body)
        async with asyncio.timeout(25):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
