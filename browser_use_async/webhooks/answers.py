"""What a caller is answered: enough for an honest sender, nothing for anybody else."""

import json
from collections.abc import Mapping
from http import HTTPStatus

import attrs

__all__ = ["ACCEPTED", "Answer", "refusal"]


@attrs.frozen
class Answer:
    """The answer to a webhook call."""

    status: int  # the HTTP status: 2xx if the event is taken, 503 if it should be sent again later
    body: bytes  # JSON
    # The headers, among them `Content-Type`
    headers: Mapping[str, str] = attrs.field(
        factory=lambda: {"Content-Type": "application/json"}, kw_only=True
    )

    @property
    def is_accepted(self) -> bool:
        """Whether the sender need not send it again."""
        return self.status == HTTPStatus.OK


def _json(value: Mapping[str, str]) -> bytes:
    return json.dumps(value).encode()


ACCEPTED = Answer(HTTPStatus.OK, _json({"status": "success"}))
"""For events that are taken, and for those that were taken before."""


def refusal(status: int, **headers: str) -> Answer:
    """An answer that says no more than its status does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    detail = HTTPStatus(status).phrase
    return Answer(
        status, _json({"detail": detail}), headers={"Content-Type": "application/json", **named}
    )
