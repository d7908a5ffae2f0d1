"""Sessions that are forgotten, and programs that end while a session is at work."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import warnings

import pytest

from browser_use_async import BrowserUseSession
from tests.api_bench import running_api
from tests.fake_api import FakeApi, FakeTask
from tests.hygiene import KEY

__all__ = ["running_api"]


FORGETFUL = """
    import asyncio, sys
    from browser_use_async import BrowserUseSession

    async def main():
        global kept
        session = BrowserUseSession(api_key="{key}", base_url="{url}")
        await session.ping()
        if "{how}" == "waiting":
            waiting = asyncio.ensure_future(session.wait("t1"))
            await asyncio.sleep(0.2)
        if "{how}" == "kept":
            kept = session

    asyncio.run(main())
"""


async def _run(program: str, *options: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *options,
        "-c",
        textwrap.dedent(program),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _nothing = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.case("E7")
@pytest.mark.parametrize("how", ["dropped", "waiting", "kept"])
async def test_a_session_that_is_never_closed_warns_once(running_api: FakeApi, how: str):
    """E7: one clear warning, without the key and without further ones from aiohttp."""
    program = FORGETFUL.format(key=KEY, url=running_api.url, how=how)

    code, output = await _run(program, "-W", "always::ResourceWarning")

    assert code == 0, output
    assert output.count("a BrowserUseSession was never closed") == 1
    assert KEY not in output
    for noise in ("Unclosed", "aiohttp", "Traceback", "never awaited", "destroyed", "Exception"):
        assert noise not in output


@pytest.mark.case("E7")
async def test_a_session_that_is_never_used_warns_not(running_api: FakeApi):
    """E7: without a connection there is nothing to close."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session = BrowserUseSession(api_key=KEY, base_url=running_api.url)
        del session
        gc.collect()


@pytest.mark.case("E12")
async def test_the_end_of_a_program_with_waits_pending(running_api: FakeApi):
    """E12: `asyncio.run` ends while tasks wait: nothing is destroyed pending, nothing unclosed."""
    program = f"""
        import asyncio
        from browser_use_async import BrowserUseSession

        async def use(session):
            async with session:
                waits = [asyncio.ensure_future(session.wait("t1")) for _ in range(20)]
                waits += [asyncio.ensure_future(session.run_and_wait("x")) for _ in range(5)]
                await asyncio.sleep(60)

        async def main():
            session = BrowserUseSession(api_key="{KEY}", base_url="{running_api.url}")
            forgotten = asyncio.ensure_future(use(session))
            await asyncio.sleep(0.5)

        asyncio.run(main())
    """
    running_api.make = lambda _body: FakeTask(life=((0.0, "running"),))

    code, output = await _run(program, "-X", "dev", "-W", "error")

    assert (code, output) == (0, "")
    assert len(running_api.tasks) == 6
    assert [task.status() for task in running_api.tasks.values()][1:] == ["stopped"] * 5


@pytest.mark.case("E6")
async def test_an_interrupt_ends_a_program_quickly(running_api: FakeApi):
    """E6: Ctrl-C during waits: a KeyboardInterrupt in less than two seconds, and stopped tasks."""
    program = f"""
        import asyncio, os, signal, time
        from browser_use_async import BrowserUseSession

        async def main():
            async with BrowserUseSession(api_key="{KEY}", base_url="{running_api.url}") as session:
                asyncio.get_running_loop().call_later(0.4, os.kill, os.getpid(), signal.SIGINT)
                await asyncio.gather(*(session.run_and_wait("x") for _ in range(5)))

        began = time.monotonic()
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - began < 2.4)
    """
    running_api.make = lambda _body: FakeTask(life=((0.0, "running"),))

    code, output = await _run(program, "-X", "dev", "-W", "error")

    assert (code, output.split()) == (0, ["interrupted", "True"])
    assert [task.status() for task in running_api.tasks.values()][1:] == ["stopped"] * 5


async def test_a_handle_goes_to_another_process(running_api: FakeApi):
    """A handle's token continues in a process that knows nothing but the token."""
    async with BrowserUseSession(api_key=KEY, base_url=running_api.url) as session:
        running_api.make = lambda _body: FakeTask(life=((0.0, "running"), (0.3, "finished")))
        handle = await session.submit("x")
        program = f"""
            import asyncio
            from browser_use_async import BrowserUseSession

            async def main():
                async with BrowserUseSession("{KEY}", base_url="{running_api.url}") as session:
                    print((await session.handle("{handle.to_token()}").wait()).id)

            asyncio.run(main())
        """

        code, output = await _run(program, "-X", "dev", "-W", "error")

    assert (code, output.strip()) == (0, handle.id)
