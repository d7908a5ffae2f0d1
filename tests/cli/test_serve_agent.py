"""The options of `serve` about the agent and its model."""

import pytest

from tests.support.hygiene import KEY

from .running import environment, run, running


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--llm-base-url", "http://127.0.0.1:9/v1", "--agent-python", "/bin/false"],
            'pip install "browser-use-async[local-agent]"',
        ),
        (["--executor", "plain", "--llm-model", "m"], "is for --executor browser_use"),
        (["--executor", "plain", "--llm-reads-only"], "is for --executor browser_use"),
        (["--executor", "browser_use"], "needs an OpenAI-compatible endpoint"),
        (
            ["--executor", "browser_use", "--llm-key", "env:NO_KEY"],
            "--llm-key: the environment variable is not set",
        ),
        (
            [
                *("--executor", "browser_use", "--llm-base-url", "http://127.0.0.1:9/v1"),
                *("--agent-python", "/bin/false"),
            ],
            'pip install "browser-use-async[local-agent]"',
        ),
    ],
)
async def test_what_cannot_be_served(words, said):
    """Options that are invalid, or lack another one, are exit code 2 with a clear message."""
    result = await run("serve", "--port", "0", *words, env=environment(OPENAI_BASE_URL=""))

    assert result.code == 2
    assert said in " ".join(result.stderr.split())


async def test_a_key_in_the_place_of_its_variable():
    """A key that is given in place of its variable is not repeated."""
    words = ("serve", "--port", "0", "--executor", "browser_use", "--llm-key", f"env:{KEY}")

    result = await run(*words, env=environment())

    assert result.code == 2
    assert KEY not in result.stdout + result.stderr


async def test_a_model_of_the_environment_that_cannot_be_used_is_said():
    """It may be there for another program, so that tasks are executed without it."""
    env = environment(
        OPENAI_BASE_URL="http://127.0.0.1:9/v1", BROWSER_USE_AGENT_PYTHON="/bin/false"
    )
    async with running("serve", "--port", "0", env=env) as program:
        seen = await program.says("Ctrl-C ends the server")

    assert "tasks are not given to the model of OPENAI_BASE_URL" in seen
