"""The language model that agents ask: where it is, and under which name."""

import os
from collections.abc import Sequence
from typing import Any

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.settings import AgentSettings
from browser_use_async.server.html.document import load_json
from browser_use_async.server.http_client import HttpClient, HttpClientError

_SHOWN_NAMES = 8


class NoModelError(Exception):
    """There is no model to ask. Its text is a sentence for a person."""


@attrs.frozen
class ModelEndpoint:
    """An OpenAI-compatible endpoint."""

    base_url: str  # its address, which ends in `/v1` nearly everywhere
    key: str = attrs.field(repr=False)  # its key; empty if it wants none
    model: str | None  # the model for every task, or None to go by what each task asks for
    answer_seconds: int  # how long one answer may take
    sees_pictures: bool  # whether the model takes screenshots

    @classmethod
    def of(cls, settings: AgentSettings) -> "ModelEndpoint":
        """The endpoint that an operator means.

        Raises:
            ConfigurationError: There is no such address, or the number makes no sense.
        """
        base_url = settings.llm_base_url or os.environ.get("OPENAI_BASE_URL", "")
        if not base_url:
            raise ConfigurationError(
                "the browser_use executor needs an OpenAI-compatible endpoint, such as "
                "http://127.0.0.1:11434/v1; name it with --llm-base-url, with llm_base_url=, or "
                "in the environment variable OPENAI_BASE_URL"
            )
        if settings.llm_timeout < 1:
            raise ConfigurationError("a model needs at least a second to answer")
        key = settings.llm_key
        if key is None:
            key = os.environ.get("OPENAI_API_KEY", "")
        return cls(
            base_url=_checked_url(base_url),
            key=key.strip(),
            model=settings.llm_model,
            answer_seconds=settings.llm_timeout,
            sees_pictures=settings.llm_sees_pictures,
        )

    async def model_for(self, wanted: str, outbound: HttpClient) -> str:
        """The model that a task shall use.

        Raises:
            NoModelError: The endpoint cannot be asked, or has no such model.
        """
        if self.model is not None:
            return self.model
        return choose_model(wanted, await self._listed(outbound))

    async def _listed(self, outbound: HttpClient) -> list[str] | None:
        """The names of its models, or None if it does not tell."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            answer = await outbound.send("GET", f"{self.base_url}/models", headers=headers)
        except HttpClientError as error:
            raise NoModelError(f"The model cannot be asked at {self.base_url}: {error}.") from None
        if answer.status in {401, 403}:
            raise NoModelError(
                f"The model at {self.base_url} does not take the key: it answered {answer.status}."
            )
        return _names(answer.body) if answer.status == 200 else None


def choose_model(wanted: str, listed: Sequence[str] | None) -> str:
    """The endpoint's name of the model that a task asks for.

    Raises:
        NoModelError: There are several, and none is meant.
    """
    if not listed or wanted in listed:
        return wanted
    prefixed = [name for name in listed if name.rpartition("/")[2] == wanted]
    if len(prefixed) == 1:
        return prefixed[0]
    if len(listed) == 1:
        return listed[0]
    names = ", ".join(listed[:_SHOWN_NAMES]) + (", …" if len(listed) > _SHOWN_NAMES else "")
    raise NoModelError(
        f"The model endpoint does not know {wanted}. It has {names}; the operator of the server "
        "chooses one for all tasks with --llm-model."
    )


def _names(body: bytes) -> list[str] | None:
    try:
        listed: Any = load_json(body.decode("utf-8", "replace"))
        return [str(each["id"]) for each in listed["data"]]
    except (ValueError, TypeError, KeyError):
        return None  # something else answers under this path


def _checked_url(text: str) -> str:
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host or url.user is not None:
        raise ConfigurationError(
            "the address of the model must be an http or https address without a user name, such "
            "as http://127.0.0.1:11434/v1"
        )
    return str(url.with_fragment(None)).rstrip("/")
