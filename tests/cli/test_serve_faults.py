"""`serve --fault`: faults on purpose, given in a shell."""

import json
import signal

import aiohttp
import pytest

from .running import run, running


@pytest.mark.long
async def test_faults_of_both_forms(tmp_path):
    """Rules on the command line come before those of the file; HTTP reports which ones fired."""
    path = tmp_path / "faults.json"
    path.write_text('{"faults": [{"kind": "status", "operations": ["me"], "status": 402}]}')
    words = ("--fault", "status ping status=429 headers=Retry-After:2 calls=1", "--fault")
    more = ("latency check_balance seconds=0", "--fault", f"file:{path}")
    async with running("serve", "--port", "0", *words, *more) as command:
        place = json.loads(await command.writes())
        headers = {"Authorization": f"Bearer {place['api_key']}"}
        async with aiohttp.ClientSession(place["base_url"] + "/", headers=headers) as http:
            answers = [await http.get(name) for name in ("ping", "ping", "me", "balance")]
            shown = await http.get("/admin/faults")
            fired = (await shown.json())["fired"]
        command.send(signal.SIGTERM)
        result = await command.ends()

    assert [answer.status for answer in answers] == [429, 200, 402, 200]
    assert answers[0].headers["Retry-After"] == "2"
    assert fired == {"status ping": 1, "status me": 1, "latency check_balance": 1}
    assert result.code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fault", "lost_reply run_task calls=0"), "calls: must be 1 or more, not 0"),
        (("--fault", "explode"), "kind: 'explode' is none of latency, status"),
        (("--fault", "file:missing.json"), "missing.json: No such file"),
        (("--fault", "file:wrong.json"), "faults[0].seconds: a fault of kind latency needs it"),
    ],
)
async def test_rules_that_are_refused(words, said, tmp_path, monkeypatch):
    """Exit code 2, and the error names the wrong field."""
    (tmp_path / "wrong.json").write_text('{"faults": [{"kind": "latency"}]}')
    monkeypatch.chdir(tmp_path)
    result = await run("serve", *words)

    assert result.code == 2
    assert said in result.stderr
    assert result.stdout == ""
