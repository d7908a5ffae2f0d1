"""Checks servers by the specification, and one by its own OpenAPI document.

The statements of the specification are checked with every available executor. Then
schemathesis makes thousands of requests from the document, and checks each answer. Run by
`make proof-conformance`; further arguments go to schemathesis.
"""

import asyncio
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.http import access
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from tests.proofs.conformance.broken_servers import FAULTS, conforming_server
from tests.proofs.conformance.statements.probe import Settings
from tests.proofs.conformance.statements.report import run_checks

HERE = Path(__file__).parent
UPLOADS = ("notes.txt", "picture.png", "table.csv")
TYPES = ("text/plain", "image/png", "text/csv")
SEED = "20250729"
EXAMPLES = "120"


async def _upload_files(server: LocalServer) -> None:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        for name, content_type in zip(UPLOADS, TYPES, strict=True):
            wanted = {"file_name": name, "content_type": content_type}
            url = server.base_url + "/uploads/presigned-url"
            async with http.post(url, json=wanted, headers=headers) as answer:
                place = (await answer.json())["upload_url"]
            async with http.put(place, data=b"text", headers={"Content-Type": content_type}):
                pass


async def _schemathesis(server: LocalServer, site: StaticSite, arguments: list[str]) -> int:
    command = [
        *(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(HERE / "schemathesis.toml"),
        ),
        *("run", server.url + "/openapi.json", "--seed", SEED, "--max-examples", EXAMPLES),
        *("--header", f"Authorization: Bearer {server.api_key}"),
        *arguments,
    ]
    surroundings = {
        **os.environ,
        "CONFORMANCE_SITE": site.url,
        "CONFORMANCE_UPLOADS": " ".join(UPLOADS),
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
    }
    # Its memory of earlier runs would change this one, so it has a folder of its own.
    with TemporaryDirectory() as folder:
        running = await asyncio.create_subprocess_exec(*command, env=surroundings, cwd=folder)
        return await running.wait()


async def _finds_every_fault() -> bool:
    """Break one statement at a time, and see that its check finds it."""
    missed = []
    for statement, fault in FAULTS.items():
        async with conforming_server(faults=[fault]) as (_, settings):
            outcomes = await run_checks(settings)
        found = [each.check.statement for each in outcomes if each.verdict == "deviates"]
        missed += [statement] if statement not in found else []
    print(
        f"\n{len(FAULTS) - len(missed)} faults found of {len(FAULTS)}", *missed, sep="\n  missed: "
    )
    return not missed


async def _conforms(executor: str | ScriptedExecutor) -> bool:
    """Check every statement of the specification on a server with an executor."""
    async with (
        StaticSite(example_site_directory()) as site,
        LocalServer(
            executor=executor,
            chromium=ChromiumSettings(allow_private_addresses=True),
            balance_cents=10**9,
            search=[site.url],
            webhook_retry_pauses=[0.05] * 5,
        ) as server,
    ):
        outcomes = await run_checks(
            Settings(
                base_url=server.base_url,
                api_key=server.api_key,
                website=site.url,
                task_seconds=60.0,
            )
        )
        print(f"\n{server.executor.name}:")
    for each in outcomes:
        if each.verdict != "ok":
            print(f"  {each.verdict}: {each.check.statement}: {each.reason}")
            print(f"    {each.request} -> {each.answer}" if each.request else "")
    print(f"  {sum(each.verdict == 'ok' for each in outcomes)} of {len(outcomes)} statements hold")
    return all(each.verdict != "deviates" for each in outcomes)


async def main(arguments: list[str]) -> int:
    """Check the statements with each executor, and run schemathesis against a server.

    Args:
        arguments: More arguments for schemathesis.
    """
    slow, quick = Scenario(steps=("Wait",), hangs=True), Scenario(step_seconds=0)
    executors = [ScriptedExecutor({"Wait": slow}, default=quick), "plain"]
    executors += ["chromium"] if find_browser() is not None else []
    if not all([await _conforms(each) for each in executors] + [await _finds_every_fault()]):
        return 1
    access.MAX_WRONG_KEYS = 10**6  # many are sent on purpose
    executor = ScriptedExecutor(default=Scenario(step_seconds=0))
    async with StaticSite(example_site_directory()) as site:
        server = LocalServer(
            executor=executor,
            balance_cents=10**9,
            search=[site.url],
        )
        async with server:
            await _upload_files(server)
            status = await _schemathesis(server, site, arguments)
            print(f"\n{server.requests.total()} requests answered, by operation:")
            for name, count in server.requests.most_common():
                print(f"{count:8} {name}")
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
