"""`serve --fault`: faults on purpose, given in a shell."""

import json
import signal

import aiohttp
import pytest

from .running import running


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
