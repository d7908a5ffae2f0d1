"""Mutants of cancellation, closing and loops."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_FINISH = "        await asyncio.wait([task], timeout=CLEANUP_SECONDS)\n"

MUTANTS: tuple[Mutant, ...] = (
    # Who pays for a task that nobody waits for.
    Mutant(
        "a cancelled wait lets its task run on",
        "lifecycle/run.py",
        "            # In the background: a second cancellation must not cut the stop short.\n"
        "            cleanup = self.background.start(self._apply(handle.id, on_cancel))\n"
        "            await self._wait_for_cleanup(cleanup, on_cancel)\n",
        "",
        ("E1", "E2", "E4", "E5", "E6", "E11", "E12"),
    ),
    Mutant(
        "the task of a cancelled creation is not cleaned up",
        "lifecycle/run.py",
        "            cleanup = self._abandon(creation, submission, on_cancel, is_reported=False)\n"
        "            await self._wait_for_cleanup(cleanup, on_cancel)\n",
        "",
        ("E1",),
    ),
    Mutant(
        "a task left behind by a cancelled creation is not reported",
        "lifecycle/run.py",
        '        if action == "leave" and not is_reported:\n',
        '        if action == "leave" and is_reported:\n',
        ("E1",),
    ),
    Mutant(
        "a stop may delay a cancellation without limit",
        "lifecycle/run.py",
        _FINISH,
        "        await asyncio.wait([task])\n",
        ("E2",),
    ),
    Mutant(
        "a stop ends with the call that started it",
        "lifecycle/run.py",
        _FINISH,
        "        with contextlib.suppress(TimeoutError):\n"
        "            await asyncio.wait_for(task, CLEANUP_SECONDS)\n",
        ("E2", "E3"),
    ),
    Mutant(
        "a second cancellation waits as the first one does",
        "lifecycle/run.py",
        _FINISH,
        f"        with contextlib.suppress(asyncio.CancelledError):\n    {_FINISH}{_FINISH}",
        ("E3",),
    ),
    Mutant(
        "a timeout swallows a cancellation",
        "lifecycle/waits.py",
        "            await settled\n    finally:\n",
        "            await settled\n    except asyncio.CancelledError:\n"
        "        pass\n    finally:\n",
        ("E5",),
    ),
    # Closing.
    Mutant(
        "an unclosed session gives no warning",
        "session.py",
        "        if transport is not None and transport.connections.is_open:\n",
        "        if transport is not None and not transport.connections.is_open:\n",
        ("E7",),
    ),
    Mutant(
        "an unclosed session leaves its connections open",
        "transport/client.py",
        "        if self.connections.abandon() and",
        "        if not self.connections and",
        ("E7",),
    ),
    Mutant(
        "closing does not interrupt calls",
        "transport/connections.py",
        "        self._closing.set()\n",
        "",
        ("E8",),
    ),
    Mutant(
        "closing does not wait for stops",
        "session.py",
        "            await self._background.aclose()\n",
        "",
        ("E8", "E12"),
    ),
    # Loops and processes.
    Mutant(
        "a session is used in a second loop after the first one was closed",
        "transport/connections.py",
        "        if self.loop is not loop:\n",
        "        if self.loop is not loop and not self.loop.is_closed():\n",
        ("E9",),
    ),
    Mutant(
        "a session whose loop is closed cannot be closed",
        "transport/connections.py",
        "        if self.is_loop_closed:\n",
        "        if self.is_loop_closed and self._closed:\n",
        ("E9",),
    ),
    Mutant(
        "closing leaves the sockets of a closed loop open",
        "transport/connection_pool.py",
        "                transport.abort()\n",
        "                pass\n",
        ("E9",),
    ),
    Mutant(
        "a forked process is not distinguished from its parent",
        "transport/connections.py",
        "        elif self._process != _THIS_PROCESS.id:\n",
        "        elif self._process == 0:\n",
        ("E10",),
    ),
    Mutant(
        "a forked process closes the connections of its parent",
        "transport/connections.py",
        "        if self.loop is None or self._process != _THIS_PROCESS.id:\n",
        "        if self.loop is None:\n",
        ("E10",),
    ),
)
