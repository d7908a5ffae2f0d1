"""A task as an order for an agent, and what the agent reports as items of the task."""

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from yarl import URL

from browser_use_async.server.egress.policy import is_here
from browser_use_async.server.executors.agent.agent_browser import AgentBrowser
from browser_use_async.server.executors.agent.endpoint import ModelEndpoint
from browser_use_async.server.executors.agent.process import AgentProcess
from browser_use_async.server.executors.agent.worker.channel import MadeFile, Message, Order
from browser_use_async.server.executors.protocol import Assignment, Control, Failed, Finished, Step
from browser_use_async.server.jobs.redaction import SecretRedactor

_NO_KEY = "none"
"""Clients insist on a key, also for endpoints that want none."""

_ANY_SITE = "http*://*"
_NO_SITE = "http*://nothing.invalid"  # a name that never exists (RFC 2606)


_STEP_SECONDS = 180
"""How long a step may take beside the model's answer; the agent's own limit is shorter."""

_DECIDING = "Decide what to do next"
"""What an agent does while its model is asked."""


def make_order(
    assignment: Assignment, endpoint: ModelEndpoint, model: str, browser_url: str, folder: Path
) -> Order:
    """The order, with the task's files laid out for the agent."""
    for name in ("uploads", "files", "downloads"):
        (folder / name).mkdir()
    owner = folder.stat()
    # The browser writes there, which is somebody else's process where the server is root.
    os.chown(folder / "downloads", owner.st_uid, owner.st_gid)
    return {
        "task": assignment.task,
        "max_steps": assignment.max_agent_steps,
        "allowed_domains": address_patterns(assignment.allowed_domains),
        "schema": assignment.structured_output_json,
        "secrets": secrets_by_domain(assignment.secrets, assignment.allowed_domains),
        "viewport": assignment.viewport,
        "highlight_elements": assignment.highlight_elements,
        "takes_screenshots": assignment.takes_screenshots,
        "uploads": list(_laid_out(assignment.files, folder / "uploads")),
        "cookies": [_whole(cookie) for cookie in assignment.cookies],
        "folder": str(folder),
        "browser_url": browser_url,
        "base_url": endpoint.base_url,
        "key": endpoint.key or _NO_KEY,
        "model": model,
        "model_seconds": endpoint.answer_seconds,
        "sees_pictures": endpoint.sees_pictures,
    }


def address_patterns(entries: Sequence[str] | None) -> list[str]:
    """Allowed domains as browser-use's patterns, each of which begins with `http`.

    A host alone would open `file://HOST/` too, and no pattern at all every scheme. The patterns are
    there for the agent to know; what leaves the browser is judged outside of it, by scheme and port
    as well.
    """
    if entries is None:
        return [_ANY_SITE]
    hosts = [host for entry in entries for host in _with_parent(_host(entry))]
    # browser-use takes an empty list for every address.
    return [f"http*://{host}" for host in dict.fromkeys(hosts)] or [_NO_SITE]


def _with_parent(host: str) -> Iterable[str]:
    """The host; with a wildcard also the one below which it stands, as in the task's rules."""
    if not host:
        return ()
    return (host, host.removeprefix("*.")) if host.startswith("*.") else (host,)


def secrets_by_domain(
    secrets: Mapping[str, str], allowed_domains: Sequence[str] | None
) -> dict[str, Any]:
    """Secrets bound to the domains on which they may be typed, if the task names any."""
    if allowed_domains is None:
        return dict(secrets)
    if not secrets:
        return {}
    places = ((_scheme(entry), _host(entry)) for entry in allowed_domains)
    return {f"{scheme}://{host}": dict(secrets) for scheme, host in places if host}


def _scheme(entry: str) -> str:
    scheme, separator, _ = entry.strip().partition("://")
    if separator:
        return scheme.lower()
    return "http*" if is_here(_host(entry)) else "https"


def _host(entry: str) -> str:
    """The host of an entry with its wildcard; empty if there is none."""
    rest = entry.strip().rpartition("://")[2].lower()
    wildcard = "*." if rest.startswith("*.") else ""
    if rest == "*":
        return rest
    try:
        host = URL(f"http://{rest.removeprefix('*.')}").raw_host or ""
    except ValueError:
        return ""
    return "" if "*" in host else wildcard + host.rstrip(".")


def _laid_out(files: Mapping[str, bytes], folder: Path) -> Iterable[str]:
    for name, content in files.items():
        path = folder / Path(name).name
        path.write_bytes(content)
        yield str(path)


def _whole(cookie: Mapping[str, Any]) -> dict[str, Any]:
    """A cookie with all that browsers want to know."""
    return {"path": "/", "secure": False, "httpOnly": False, **cookie}


@attrs.define
class Conversation:
    """The conversation with one agent."""

    agent: AgentProcess
    browser: AgentBrowser  # where it works
    control: Control  # awaited before each step
    mask: SecretRedactor  # keeps secrets out of what it reports
    answer_seconds: float  # how long one answer of its model may take
    _steps: int = attrs.field(default=0, init=False)
    _goal: str = attrs.field(default="", init=False)  # of the latest step

    async def next_item(self) -> Step | Finished | Failed:
        """Let the agent work until it has something to tell.

        Raises:
            AgentEndedError: It ended, or was silent for too long.
        """
        # A step is told as soon as the model has decided on it; its actions follow.
        self.control.doing(self._goal)
        while True:
            message: Message = await self.agent.receive(self.answer_seconds + _STEP_SECONDS)
            if message["kind"] != "checkpoint":
                return self._item(message)
            await self.control.checkpoint()
            self.control.doing(_DECIDING)
            await self.agent.send({})

    def _item(self, message: Message) -> Step | Finished | Failed:
        url, text = message.get("url", ""), message.get("text", "")
        picture = base64.b64decode(message.get("screenshot", "")) or None
        if message["kind"] == "step":
            evaluation = self._evaluation(message.get("evaluation", ""))
            step = Step(message.get("next_goal", ""), evaluation, url, picture, text)
            masked = self.mask.step(step)
            self._goal = masked.next_goal
            return masked
        if message["kind"] == "failed":
            return self.mask.failure(Failed(text, url, picture))
        files = dict(map(self._file, message.get("files", ())))
        return self.mask.result(Finished(text, files, message.get("cookies", ())))

    def _evaluation(self, text: str) -> str:
        """How the step before went; the first one says how the browser is connected instead."""
        self._steps += 1
        return " ".join(filter(None, (text, self.browser.proxy_note if self._steps == 1 else "")))

    def _file(self, made: MadeFile) -> tuple[str, bytes]:
        content = Path(self.browser.folder, made["path"]).read_bytes()
        return made["name"], content if made["is_download"] else self.mask.content(content)
