"""The options of `serve` about the hosted service."""

from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async.cli.app import parse
from browser_use_async.cli.setting_options import given
from browser_use_async.server import CloudModel, CloudSettings

from .running import environment, run

_HOSTED = ("--executor", "cloud-v4")


def _settings(*words: str) -> CloudSettings:
    return CloudSettings(**given(CloudSettings, parse(["serve", *_HOSTED, *words]).params))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cloud-lenient"], "--cloud-lenient is for --executor cloud-v4"),
        (["--executor", "plain", "--cloud-model", "a=b"], "--cloud-model is for --executor"),
        ([*_HOSTED, "--cloud-model", "a"], "a name, = and the service's model"),
        ([*_HOSTED, "--cloud-model", "o3=gpt-5.6 [1]"], "a JSON object of its parameters"),
        ([*_HOSTED, "--cloud-model", 'o3=gpt-5.6{"a": 1'], "a JSON object of its parameters"),
        ([*_HOSTED, "--cloud-model", 'o3={"a": 1}'], "a JSON object of its parameters"),
        ([*_HOSTED], "BROWSER_USE_CLOUD_KEY"),
        ([*_HOSTED, "--cloud-key", "file:/nowhere"], "--cloud-key: the file cannot be read"),
        ([*_HOSTED, "--cloud-max-cost-usd", "0"], "a number of US dollars greater than 0"),
        ([*_HOSTED, "--cloud-max-cost-usd", "$5"], "a number of US dollars greater than 0"),
        (["--cloud-max-cost-usd", "5"], "--cloud-max-cost-usd is for --executor cloud-v4"),
    ],
)
async def test_what_cannot_be_served(words: list[str], said: str) -> None:
    """Options that are invalid, or lack another one, are exit code 2 with a clear message."""
    result = await run("serve", "--port", "0", *words, env=environment(BROWSER_USE_CLOUD_KEY=""))

    assert result.code == 2
    assert said in " ".join(result.stderr.split())


def test_parameters_of_models() -> None:
    """A JSON object behind the name of the service's model; an empty one is refused."""
    settings = _settings(
        *("--cloud-model", 'o3=gpt-5.6 {"reasoning": {"effort": "high"}}'),
        *("--cloud-model", "o4-mini=gpt-5.6 {}", "--cloud-model", "*=minimax-m3"),
    )

    assert settings.models == {
        "o3": CloudModel("gpt-5.6", {"reasoning": {"effort": "high"}}),
        "o4-mini": CloudModel("gpt-5.6", {}),
        "*": "minimax-m3",
    }


def test_the_bound_of_the_cost() -> None:
    """It is in US dollars, exactly as it was written."""
    assert _settings("--cloud-max-cost-usd", "0.10").max_cost_usd == Decimal("0.10")


def test_what_the_options_say(tmp_path: Path) -> None:
    """The key comes from a file; models are combined."""
    (tmp_path / "key").write_text("key-of-the-file\n")
    settings = _settings(
        *("--cloud-lenient", "--cloud-key", f"file:{tmp_path / 'key'}"),
        *("--cloud-model", "gpt-4o=gpt-4.1", "--cloud-model", "*=o3"),
    )

    assert settings == CloudSettings(
        "key-of-the-file", is_lenient=True, models={"gpt-4o": "gpt-4.1", "*": "o3"}
    )
