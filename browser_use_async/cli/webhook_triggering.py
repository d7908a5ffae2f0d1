"""Sends sample events for `webhooks trigger`."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.server.outbound import Outbound, OutboundError
from browser_use_async.server.webhooks.events import TEST_BODY, signed_headers
from browser_use_async.webhooks import WebhookStatus
from browser_use_async.webhooks.events import STATUS_UPDATE, TEST

__all__ = ["KINDS", "trigger"]

KINDS = (*(status.value for status in WebhookStatus), TEST)
"""What events tell."""

_LONGEST_ANSWER = 500


async def trigger(
    kind: str,
    url: str,
    secret: str,
    console: Console,
    *,
    task_id: str | None,
    session_id: str | None,
    metadata: Mapping[str, str],
) -> int:
    """Send one event, and say what was answered."""
    subject = None if kind == TEST else task_id or str(uuid.uuid4())
    body = TEST_BODY if subject is None else _body(kind, subject, session_id, metadata)
    outbound, loop = Outbound(), asyncio.get_running_loop()
    began = loop.time()
    try:
        headers = signed_headers(body, secret, datetime.now(UTC))
        answer = await outbound.send("POST", url, headers=headers, body=body)
    except OutboundError as error:
        console.failure(f"{url} did not take the event: {error}")
        return ExitCode.UNREACHABLE
    finally:
        await outbound.aclose()
    text = answer.body.decode("utf-8", "replace")[:_LONGEST_ANSWER]
    taken = 200 <= answer.status < 300
    console.say(
        ("ok " if taken else "refused ", Style.GOOD if taken else Style.BAD),
        f"{kind}{f' of task {subject}' if subject else ''}: answered {answer.status} after "
        f"{(loop.time() - began) * 1000:.0f} ms",
    )
    console.emit(
        {"url": url, "kind": kind, "task_id": subject, "status": answer.status, "answer": text}
    )
    return ExitCode.FINISHED if taken else ExitCode.API


def _body(kind: str, task_id: str, session_id: str | None, metadata: Mapping[str, str]) -> bytes:
    return json.dumps(
        {
            "type": STATUS_UPDATE,
            "timestamp": datetime.now(UTC).isoformat(),
            "payload": {
                "session_id": session_id or str(uuid.uuid4()),
                "task_id": task_id,
                "status": kind,
                "metadata": dict(metadata),
            },
        }
    ).encode()
