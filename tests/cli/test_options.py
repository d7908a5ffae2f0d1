import re
from datetime import UTC, datetime, timedelta

import click
import pytest

from browser_use_async import RunTaskRequest
from browser_use_async.api.field_sentences import field_sentences
from browser_use_async.cli.app import parse
from browser_use_async.cli.options import moment, pair, seconds, secret
from browser_use_async.types import rules_of

FIELDS = rules_of(RunTaskRequest).keys() - {"task"}


def test_an_option_says_what_the_api_says():
    """Each field of run-task has an option with the sentence of its docstring."""
    options = {each.name: each for each in parse(["run", "x"]).command.params}

    assert options.keys() >= FIELDS
    for name, sentence in field_sentences(RunTaskRequest).items():
        if name in FIELDS:
            beginning = re.split(r"[.;`] ?", sentence)[0].lower()
            assert str(getattr(options[name], "help", "")).lower().startswith(beginning)


def test_what_is_not_given_is_not_sent():
    """Options that are not given become no fields; a given `--no-` does."""
    without, given = parse(["run", "x"]).params, parse(["run", "x", "--no-proxy"]).params

    assert [name for name in FIELDS if without[name] is not None] == []
    assert [name for name in FIELDS if given[name] is not None] == ["use_proxy"]
    assert given["use_proxy"] is False


def test_moment():
    """Times are ISO 8601, in UTC unless they say otherwise, or an age."""
    now = datetime.now(UTC)

    assert moment("2026-03-01T12:00") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert moment("2026-03-01T12:00+02:00") == datetime(2026, 3, 1, 10, tzinfo=UTC)
    for text, age in (("90m", timedelta(minutes=90)), ("7d", timedelta(days=7))):
        assert abs(now - age - moment(text)) < timedelta(seconds=10)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "h", "-2h", "999999d"])
def test_no_moment(text):
    """A text that is no time, or before all times, is refused with an explanation."""
    with pytest.raises(click.BadParameter, match="time"):
        moment(text)


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf"])
def test_no_seconds(text):
    """Seconds are a finite number above 0."""
    assert seconds("0.5") == 0.5
    with pytest.raises(click.BadParameter, match="greater than 0"):
        seconds(text)


def test_pair():
    """Only the first equals sign separates name and value; the value may be empty."""
    assert pair("a=b=c") == ("a", "b=c")
    assert pair("a=") == ("a", "")
    for text in ("a", "=b", ""):
        with pytest.raises(click.BadParameter):
            pair(text)


def test_secret(tmp_path, monkeypatch):
    """A secret is read from its variable or file; no message repeats the text behind the sign."""
    monkeypatch.setenv("PIN", "4711")
    (tmp_path / "pin").write_text("0815\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")

    assert secret("pin=PIN") == ("pin", "4711")
    assert secret(f"pin=@{tmp_path / 'pin'}") == ("pin", "0815")
    for source in ("hunter2", "@hunter2", f"@{tmp_path / 'bytes'}", "@/dev/zero"):
        with pytest.raises(click.BadParameter) as caught:
            secret(f"pin={source}")
        assert source.strip("@") not in str(caught.value)
    for text in ("hunter2", "pin=", "=PIN"):
        with pytest.raises(click.BadParameter, match="write it as"):
            secret(text)
