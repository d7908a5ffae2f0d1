"""What the server and an agent's process say to each other: JSON with its length in front."""

import json
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

HEADER_BYTES = 4


def pack(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message."""
    body = json.dumps(message).encode()
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def size_of(header: bytes) -> int:
    """How many bytes follow a header."""
    return int.from_bytes(header, "big")


def unpack(body: bytes) -> Any:
    """The message."""
    return json.loads(body)


class Order(TypedDict):
    """One task: the first message to an agent's process."""

    task: str
    max_steps: int
    allowed_domains: list[str]
    schema: str | None
    secrets: dict[str, Any]
    viewport: tuple[int, int]
    highlight_elements: bool
    takes_screenshots: bool
    uploads: list[str]
    cookies: list[dict[str, Any]]
    folder: str
    browser_url: str
    base_url: str
    key: str
    model: str
    model_seconds: int
    sees_pictures: bool


class MadeFile(TypedDict):
    """A file that the agent leaves behind, with its path in the order's folder."""

    name: str
    path: str
    is_download: bool


class Message(TypedDict):
    """What an agent's process reports.

    It asks for leave with `checkpoint` before each step, and its last word is `finished` or
    `failed`.
    """

    kind: Literal["checkpoint", "step", "finished", "failed"]
    text: NotRequired[str]
    next_goal: NotRequired[str]
    evaluation: NotRequired[str]
    url: NotRequired[str]
    screenshot: NotRequired[str]
    files: NotRequired[list[MadeFile]]
    cookies: NotRequired[list[dict[str, Any]]]
