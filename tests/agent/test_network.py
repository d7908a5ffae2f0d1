"""The network of a server with agents: it contacts only this machine and the pages' servers."""

import ipaddress
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.agent.scripted_model import ScriptedModel
from tests.agent.serving import serving
from tests.agent.stage import click, done

_SPOKEN_TO = (
    re.compile(r'(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"'),
    re.compile(r"<(?:TCP|UDP)(?:v6)?:\[[^]]*?->\[?([0-9a-f.:]+?)\]?:\d+\]"),
)


def addresses(trace: str) -> Counter[str]:
    """How often each address is contacted, by the calls in a trace."""
    found: Counter[str] = Counter()
    for line in trace.splitlines():
        if "connect(" in line and "<UDP" in line:
            continue  # which sends nothing: a browser finds out so whether it has IPv6
        found.update({address for each in _SPOKEN_TO for address in each.findall(line)})
    return found


def taken(trace: Path) -> str:
    """The output of a tracer, which is then deleted."""
    text = trace.read_text(errors="replace")
    trace.unlink()
    return text


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
@pytest.mark.timeout(240)  # a traced browser is slow
async def test_no_look_up_leaves_this_machine(shop):
    """In a task of two steps neither server, agent nor browser connects to another machine."""
    trace = Path(tempfile.gettempdir(), "trace.txt")
    tracer = ("strace", "-f", "-qq", "-yy", "-e", "trace=connect,sendto,sendmsg,sendmmsg")
    async with (
        ScriptedModel([lambda text: click("Prices", text), done("Done")]) as model,
        serving(model, *tracer, "-o", str(trace)) as command,
    ):
        task_id = await command.create(f"Open {shop.url}")
        task = await command.ended(task_id, 200)
    found = addresses(taken(trace))
    outside = {one: n for one, n in found.items() if not ipaddress.ip_address(one).is_loopback}

    assert task["status"] == "finished", task
    assert found["127.0.0.1"] > 10
    assert not outside


@pytest.mark.parametrize(
    "line",
    [
        '7 connect(3<TCP:[9]>, {sa_family=AF_INET, sin_addr=inet_addr("192.0.2.1")}, 16)',
        '7 sendto(3<UDP:[9]>, "x", 1, 0, {sa_family=AF_INET, sin_addr=inet_addr("192.0.2.1")})',
        "7 sendmmsg(3<UDP:[127.0.0.1:9->192.0.2.1:53]>,  <unfinished ...>",
    ],
)
def test_the_check_of_addresses_can_fail(line):
    """The control: a connection to another machine, and a look-up there, are in the trace."""
    assert addresses(line) == {"192.0.2.1": 1}
