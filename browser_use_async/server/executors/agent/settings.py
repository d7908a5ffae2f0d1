"""What the operator decides about agents and their language model."""

import os

import attrs

DEFAULT_TIMEOUT = 90
"""Seconds that a model may take for one answer, unless the operator decides otherwise."""


@attrs.frozen
class AgentSettings:
    """What the operator of a server decides about its agents.

    Attributes:
        llm_base_url: An OpenAI-compatible endpoint; by default that in the environment variable
            `OPENAI_BASE_URL`.
        llm_model: The model for every task. Without it a task's own `llm_model` is used where the
            endpoint knows it, and the endpoint's only model where it has but one.
        llm_key: The endpoint's key; by default that in `OPENAI_API_KEY`, if there is one.
        llm_timeout: Seconds that the model may take for one answer.
        llm_sees_pictures: Whether the model is shown screenshots; False for one that reads only.
        python: The Python that has browser-use; by default the one that runs the server.
    """

    llm_base_url: str | None = None
    llm_model: str | None = None
    llm_key: str | None = attrs.field(default=None, repr=False)
    llm_timeout: int = DEFAULT_TIMEOUT
    llm_sees_pictures: bool = True
    python: str | os.PathLike[str] | None = None
