"""The blocks of the docs that need a language model, with one that follows a script."""

import pytest

from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from tests.agent.scripted_model import Says, ScriptedModel
from tests.agent.serving import serving
from tests.agent.stage import done
from tests.docs.blocks import BLOCKS, is_printed
from tests.docs.reader import ExampleServer, output_of_python

_NEEDY = [each for each in BLOCKS if each.needs_model]


def lightest(asked: str) -> Says:
    """The answer of the page, from a model that has seen its content."""
    assert "Gull Junior" in asked
    assert "7.1" in asked
    return done("The Gull Junior, with 7.1 kg.")


@pytest.mark.parametrize("block", _NEEDY, ids=str)
async def test_a_block_prints_what_it_says(block, monkeypatch):
    """The agent opens the page of the task, and the model reads the answer there."""
    async with (
        StaticSite(example_site_directory()) as site,
        ScriptedModel([lightest]) as model,
        serving(model) as command,
    ):
        server = ExampleServer.of({**command.place, "site_url": site.url}, "browser_use")
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        output = await output_of_python(block, server)

    assert is_printed(block.printed, output), output


def test_the_docs_have_such_blocks():
    """The test above is not empty."""
    assert [each.page for each in _NEEDY] == ["browser.md"]
