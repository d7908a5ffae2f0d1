import pytest
from aiohttp import web

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import AgentSettings
from browser_use_async.server.executors.model import (
    Model,
    NoModelError,
    choose_model,
)
from browser_use_async.types import LlmModel
from tests.support.hygiene import KEY


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """The user who runs the tests may have an endpoint configured."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize("wanted", LlmModel)
def test_every_published_name_means_the_only_model(wanted):
    """If the endpoint has one model, it is used for every published name."""
    assert choose_model(wanted, ["mine"]) == "mine"


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        (["o3", "gpt-4.1"], "gpt-4.1"),
        (["openai/o3", "openai/gpt-4.1", "x/gpt-4.1-mini"], "openai/gpt-4.1"),
        ([], "gpt-4.1"),
        (None, "gpt-4.1"),
    ],
)
def test_the_model_that_is_asked_for(listed, chosen):
    """A name that the endpoint knows is passed on, with its prefix if it has one."""
    assert choose_model("gpt-4.1", listed) == chosen


@pytest.mark.parametrize("listed", [["a", "b"], ["x/gpt-4.1", "y/gpt-4.1"]])
def test_an_ambiguous_model_is_refused(listed):
    """Several models of which none, or more than one, fits are refused and named."""
    with pytest.raises(NoModelError, match=f"does not know gpt-4.1. It has {listed[0]}, "):
        choose_model("gpt-4.1", listed)


def test_settings_come_from_the_environment(monkeypatch):
    """Address and key come from the environment unless the operator gives others."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    model = Model.of(AgentSettings())

    assert (model.base_url, model.key == KEY) == ("http://127.0.0.1:1/v1", True)
    assert KEY not in repr(model)
    assert Model.of(AgentSettings(llm_key="")).key == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "name it with --llm-base-url"),
        ({"llm_base_url": "ftp://127.0.0.1"}, "http or https address"),
        ({"llm_base_url": "http://[x"}, "http or https address"),
        ({"llm_base_url": "http://name:word@host/v1"}, "without a user name"),
    ],
)
def test_settings_that_make_no_sense(fields, words):
    """An endpoint that cannot be called is refused when the server is created."""
    with pytest.raises(ConfigurationError, match=words):
        Model.of(AgentSettings(**fields))


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ({"data": [{"id": "mine"}]}, "mine"),
        ({"models": []}, "o3"),
        ([], "o3"),
        ({"data": [7]}, "o3"),
    ],
)
async def test_the_list_of_models(answer, chosen):
    """The endpoint is called with its key; an answer without a list of models is ignored."""
    keys: list[str] = []

    async def models(request: web.Request) -> web.Response:
        keys.append(request.headers["Authorization"])
        return web.json_response(answer)

    application = web.Application()
    application.router.add_get("/v1/models", models)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        model = Model.of(AgentSettings(llm_base_url=url, llm_key="sesame"))
        assert await model.name_for("o3") == chosen
    finally:
        await runner.cleanup()

    assert keys == ["Bearer sesame"]


async def test_one_model_for_all_tasks_is_not_looked_up():
    """With `llm_model` the endpoint's list is not read."""
    model = Model.of(AgentSettings(llm_base_url="http://127.0.0.1:9", llm_model="m"))

    assert await model.name_for("o3") == "m"
