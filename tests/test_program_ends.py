"""Sessions that are forgotten, and programs that end while a session is used."""

import asyncio
import gc
import re
import subprocess
import sys
import textwrap
import warnings
import weakref

import pytest

from browser_use_async import BrowserUseSession
from tests.support.fake_api import FakeTask
from tests.support.hygiene import KEY

FORGETFUL = """
    import asyncio, gc, os, sys
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
    gc.collect()
    gc.collect()  # what the first one has closed
    files = [os.readlink(link.path) for link in os.scandir("/proc/self/fd")]
    print("sockets:", sum(file.startswith("socket") for file in files))
"""


SLOW = re.compile(r"^Executing <.* took [0-9.]+ seconds\n", re.MULTILINE)
"""What asyncio's debug mode says on a machine that is busy with something else."""


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
    return process.returncode, SLOW.sub("", output.decode())


@pytest.mark.long
@pytest.mark.parametrize("how", ["dropped", "waiting", "kept"])
async def test_a_session_that_is_never_closed_warns_once(running_api, how):
    """One clear warning, without the key and without further ones from aiohttp."""
    program = FORGETFUL.format(key=KEY, url=running_api.url, how=how)

    code, output = await _run(program, "-W", "always::ResourceWarning")

    assert code == 0, output
    assert output.count("a BrowserUseSession was never closed") == 1
    assert f"sockets: {int(how == 'kept')}" in output
    assert KEY not in output
    for noise in ("Unclosed", "aiohttp", "Traceback", "never awaited", "destroyed", "Exception"):
        assert noise not in output


async def test_a_session_that_is_never_used_warns_not(running_api):
    """Without a connection there is nothing to close."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        session = BrowserUseSession(api_key=KEY, base_url=running_api.url)
        gone = weakref.ref(session)
        del session
        gc.collect()

    assert [str(each.message) for each in warned] == []
    assert gone() is None


@pytest.mark.long
async def test_the_end_of_a_program_with_waits_pending(running_api):
    """`asyncio.run` ends while tasks wait: nothing is destroyed pending, nothing is unclosed."""
    program = f"""
        import asyncio
        from browser_use_async import BrowserUseSession

        async def read(stream):
            async for _item in stream:
                pass

        async def use(session):
            async with session:
                created = []
                waits = [asyncio.ensure_future(session.wait("t1")) for _ in range(20)]
                waits += [
                    asyncio.ensure_future(session.run_and_wait("x", on_created=created.append))
                    for _ in range(5)
                ]
                waits += [asyncio.ensure_future(read(session.stream_status("t1")))]
                waits += [asyncio.ensure_future(read(session.stream_steps("t1")))]
                waits += [asyncio.ensure_future(read(session.wait_many(["t1"])))]
                left_open = session.stream_status("t1")
                await anext(left_open)
                while len(created) < 5:
                    await asyncio.sleep(0.01)
                at_work.set()
                await asyncio.sleep(60)

        async def main():
            global at_work
            at_work = asyncio.Event()
            session = BrowserUseSession(api_key="{KEY}", base_url="{running_api.url}")
            forgotten = asyncio.ensure_future(use(session))
            await at_work.wait()

        asyncio.run(main())
    """
    running_api.make = lambda _body: FakeTask(life=((0.0, "running"),))

    code, output = await _run(program, "-X", "dev", "-W", "error")

    assert (code, output) == (0, "")
    assert len(running_api.tasks) == 6
    assert [task.status() for task in running_api.tasks.values()][1:] == ["stopped"] * 5


@pytest.mark.long
async def test_an_interrupt_ends_a_program_and_its_tasks(running_api):
    """Ctrl-C during waits: a KeyboardInterrupt, and each task is stopped once."""
    program = f"""
        import asyncio, os, signal
        from browser_use_async import BrowserUseSession

        # A shell lets programs in the background, and their children, ignore this signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def interrupt():
            os.kill(os.getpid(), signal.SIGINT)

        created = []

        def note(handle):
            created.append(handle)
            if len(created) == 5:
                asyncio.get_running_loop().call_later(0.1, interrupt)

        async def main():
            async with BrowserUseSession(api_key="{KEY}", base_url="{running_api.url}") as session:
                runs = [session.run_and_wait("x", on_created=note) for _ in range(5)]
                await asyncio.gather(*runs)

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
    """
    running_api.make = lambda _body: FakeTask(life=((0.0, "running"),))

    code, output = await _run(program, "-X", "dev", "-W", "error")

    assert (code, output.strip()) == (0, "interrupted")
    assert running_api.count("stop") == 5
    assert [task.status() for task in running_api.tasks.values()][1:] == ["stopped"] * 5


@pytest.mark.long
async def test_a_second_loop_in_one_program(running_api):
    """Created outside of a loop, used in one, refused in the next, with the reason."""
    program = f"""
        import asyncio
        from browser_use_async import BrowserUseSession, errors

        session = BrowserUseSession("{KEY}", base_url="{running_api.url}")

        async def again():
            for verb in (session.ping(), session.submit("x"), session.wait("t1")):
                try:
                    await verb
                except errors.WrongEventLoopError as error:
                    print("belongs to another event loop" in str(error))

        asyncio.run(session.ping())
        asyncio.run(again())
    """

    code, output = await _run(program, "-X", "dev")

    assert (code, output.splitlines()[:3]) == (0, ["True"] * 3)
    assert output.count("never closed") == 1
    for noise in ("Event loop is closed", "Unclosed", "Traceback", "destroyed"):
        assert noise not in output
    assert running_api.count() == 1


@pytest.mark.long
async def test_a_handle_goes_to_another_process(running_api):
    """A process that has only the token continues with the handle."""
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
