"""Client of the operator's language model, an OpenAI-compatible endpoint."""

import json
import re
from collections.abc import Sequence
from typing import Any, Self

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.egress.http_client import HttpClient, HttpClientError, HttpResponse
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.settings import AgentSettings
from browser_use_async.server.html.document import load_json

ANSWER_SECONDS = 90
"""How long one answer may take: small machines need a minute for a long page."""

_SHOWN_NAMES = 8
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(?P<inner>.*)\n\s*```\s*", re.DOTALL)


class NoModelError(Exception):
    """No model can answer. The message is a sentence for a person."""


@attrs.frozen
class ModelAnswer:
    """The answer of a model."""

    text: str
    prompt_tokens: int = 0  # as the endpoint counts them; 0 if it does not
    answer_tokens: int = 0

    def as_json(self) -> Any:
        """Parse the answer as JSON.

        Raises:
            NoModelError: The answer is not JSON.
        """
        fenced = _FENCED.fullmatch(self.text)
        try:
            return load_json(fenced["inner"] if fenced else self.text)
        except ValueError:
            raise NoModelError("The model did not answer with JSON.") from None


@attrs.frozen
class Model:
    """The operator's language model, behind an OpenAI-compatible endpoint."""

    base_url: str  # the endpoint's address, which ends in `/v1` nearly everywhere
    key: str = attrs.field(repr=False)  # its key; empty if it needs none
    model: str | None  # the model for every task, or None to use the one that each task names
    sees_pictures: bool  # whether the model accepts images
    _http: HttpClient = attrs.field(repr=False, alias="http")
    answer_seconds: int = ANSWER_SECONDS

    @classmethod
    def of(cls, settings: AgentSettings) -> Self:
        """Create the model from the operator's settings."""
        base_url = settings.llm_base_url
        if not base_url:
            raise ConfigurationError(
                "the browser_use executor needs an OpenAI-compatible endpoint, such as "
                "http://127.0.0.1:11434/v1; name it with --llm-base-url, with llm_base_url=, or "
                "in the environment variable OPENAI_BASE_URL"
            )
        url, seconds = _checked_url(base_url), float(ANSWER_SECONDS)
        # The operator configured the endpoint, so it may be a private address.
        policy = Egress().policy_naming(opening=[url])
        return cls(
            base_url=url,
            key=(settings.llm_key or "").strip(),
            model=settings.llm_model,
            sees_pictures=settings.llm_sees_pictures,
            http=HttpClient(policy, silence=seconds, exchange=seconds),
        )

    async def name_for(self, wanted: str) -> str:
        """Find the endpoint's name of the model that a task asks for.

        Raises:
            NoModelError: The endpoint has no such model.
        """
        if self.model is not None:
            return self.model
        answer = await self._send("GET", "/models")
        if answer.status in {401, 403}:
            raise NoModelError(
                f"The model at {self.base_url} does not take the key: it answered {answer.status}."
            )
        return choose_model(wanted, _names(answer.body) if answer.status == 200 else None)

    async def ask(self, wanted: str, instruction: str, question: str) -> ModelAnswer:
        """Ask one question, without an agent.

        Raises:
            NoModelError: The model gave no answer.
        """
        request = {
            "model": await self.name_for(wanted),
            "messages": [
                {"role": "system", "content": instruction},
                {"role": "user", "content": question},
            ],
        }
        answer = await self._send("POST", "/chat/completions", json.dumps(request).encode())
        if answer.status != 200:
            raise NoModelError(f"The model at {self.base_url} answered {answer.status}.")
        return _said(answer.body)

    async def _send(self, method: str, path: str, body: bytes | None = None) -> HttpResponse:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            return await self._http.send(
                method, f"{self.base_url}{path}", headers=headers, body=body
            )
        except HttpClientError as error:
            raise NoModelError(f"The model cannot be asked at {self.base_url}: {error}.") from None


def choose_model(wanted: str, listed: Sequence[str] | None) -> str:
    """Find the endpoint's name of the model that a task asks for."""
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
        return None  # the endpoint has no list of models at this path


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


def _said(body: bytes) -> ModelAnswer:
    try:
        answer: Any = load_json(body.decode("utf-8", "replace"))
        usage = answer.get("usage") or {}
        return ModelAnswer(
            str(answer["choices"][0]["message"]["content"]),
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise NoModelError("The model's answer is not that of an OpenAI endpoint.") from None
