"""The options of `serve` about the hosted service."""

import argparse
from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async.cli.app import parse
from browser_use_async.cli.cloud_options import cloud_settings
from browser_use_async.server import CloudModel, CloudSettings

from .running import environment, run

_HOSTED = ("--executor", "cloud-v4")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cloud-lenient"], "--cloud-lenient is for --executor cloud-v4"),
        (["--executor", "reader", "--cloud-model", "a=b"], "--cloud-model is for --executor"),
        ([*_HOSTED, "--cloud-model", "a"], "a name, = and the service's model"),
        ([*_HOSTED, "--cloud-model", "o3=gpt-5.6 [1]"], "a JSON object of its parameters"),
        ([*_HOSTED, "--cloud-model", 'o3=gpt-5.6{"a": 1'], "a JSON object of its parameters"),
        ([*_HOSTED, "--cloud-model", 'o3={"a": 1}'], "a JSON object of its parameters"),
        (["--executor", "cloud-v2"], "the executor cloud-v2 is gone"),
        ([*_HOSTED], "BROWSER_USE_CLOUD_KEY"),
        ([*_HOSTED, "--cloud-key-file", "/nowhere"], "--cloud-key-file cannot be read"),
        ([*_HOSTED, "--cloud-concurrency", "0"], "must be 1 or more"),
        ([*_HOSTED, "--cloud-max-cost-usd", "0"], "a number of US dollars greater than 0"),
        ([*_HOSTED, "--cloud-max-cost-usd", "$5"], "a number of US dollars greater than 0"),
        (["--cloud-max-cost-usd", "5"], "--cloud-max-cost-usd is for --executor cloud-v4"),
    ],
)
async def test_what_cannot_be_served(words: list[str], said: str) -> None:
    """Options that make no sense, or lack what they need, are exit code 2 with a clear word."""
    result = await run("serve", "--port", "0", *words, env=environment(BROWSER_USE_CLOUD_KEY=""))

    assert result.code == 2
    assert said in " ".join(result.stderr.split())


def _options(*words: str) -> argparse.Namespace:
    return argparse.Namespace(**parse(words).params)


def test_parameters_of_models() -> None:
    """A JSON object behind the name of the service's model; an empty one is none of them."""
    options = _options(
        *[
            *("serve", "--executor", "cloud-v4"),
            *("--cloud-model", 'o3=gpt-5.6 {"reasoning": {"effort": "high"}}'),
            *("--cloud-model", "o4-mini=gpt-5.6 {}", "--cloud-model", "*=minimax-m3"),
        ]
    )

    settings = cloud_settings(options)
    assert settings is not None
    assert settings.models == {
        "o3": CloudModel("gpt-5.6", {"reasoning": {"effort": "high"}}),
        "o4-mini": CloudModel("gpt-5.6", {}),
        "*": "minimax-m3",
    }


def test_the_bound_of_the_cost() -> None:
    """It is in US dollars, exact as it was written."""
    options = _options("serve", "--executor", "cloud-v4", "--cloud-max-cost-usd", "0.10")

    settings = cloud_settings(options)
    assert settings is not None
    assert settings.max_cost_usd == Decimal("0.10")


def test_what_the_options_say(tmp_path: Path) -> None:
    """The key comes from a file; models add up."""
    (tmp_path / "key").write_text("key-of-the-file\n")
    options = _options(
        *[
            *("serve", "--executor", "cloud-v4", "--cloud-lenient", "--cloud-concurrency", "50"),
            *(
                "--cloud-key-file",
                str(tmp_path / "key"),
                "--cloud-base-url",
                "https://proxy.example",
            ),
            *("--cloud-model", "gpt-4o=gpt-4.1", "--cloud-model", "*=o3"),
        ]
    )

    assert cloud_settings(options) == CloudSettings(
        "key-of-the-file",
        "https://proxy.example",
        is_lenient=True,
        models={"gpt-4o": "gpt-4.1", "*": "o3"},
        concurrency=50,
    )
