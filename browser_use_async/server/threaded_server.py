"""The bundled server in a thread, for programs and tests without an event loop."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, Self, TypeVar

from browser_use_async.server.faults import Fault
from browser_use_async.server.local_server import LocalServer
from browser_use_async.server.storage.database import immediate
from browser_use_async.server.stores import Store
from browser_use_async.server.webhooks import Delivery

ResultT = TypeVar("ResultT")


class ThreadedStore(Store):
    """The data of a server in a thread, read there: every record is a copy, as of that moment."""

    def __init__(self, store: Store, call: Callable[[Callable[[], Any]], Any]) -> None:
        vars(self).update(vars(store))
        self._call = call

    def _read(self, work: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        result: ResultT = self._call(lambda: immediate(work()))
        return result


class ThreadedServer:
    """A `LocalServer` that runs beside synchronous code.

    Use it as a context manager, or call `start` and `close`. All properties may be read in any
    thread, also after the end.

    Args:
        options: The options of `LocalServer`.

    Attributes:
        store: The tasks and their files, as in `LocalServer.store`; records are copies.
    """

    def __init__(self, **options: Any) -> None:
        self._server = LocalServer(**options)
        self.store = ThreadedStore(self._server.store, self._call)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        # A daemon, so that a program which forgets to close the server still exits.
        self._thread = threading.Thread(target=self._run, name="browser-use-server", daemon=True)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return self._server.url

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL."""
        return self._server.base_url

    @property
    def api_key(self) -> str:
        """The API key that clients need."""
        return self._server.api_key

    @property
    def requests(self) -> "Counter[str]":
        """How many requests came so far, by the name of the operation or page."""
        return self._call(lambda: Counter(self._server.requests))

    @property
    def balance_cents(self) -> Decimal:
        """The credit that is left, in US cents."""
        return self._call(lambda: self._server.balance_cents)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The latest events that were sent to webhooks, or are being sent, oldest first."""
        return self._call(lambda: self._server.deliveries)

    @property
    def tasks_created(self) -> int:
        """How many tasks were created so far."""
        return self._call(lambda: self._server.tasks_created)

    @property
    def faults_fired(self) -> "Counter[str]":
        """How often each fault has happened since the faults were set, by its label."""
        return self._call(lambda: Counter(self._server.faults_fired))

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Replace the faults from the next call on; all counts restart.

        Args:
            faults: The new rules, in place of all others.
        """
        self._call(lambda: self._server.set_faults(faults))

    def revoke_links(self, task_id: str) -> bool:
        """Take back the links to the pages of a task, as `LocalServer.revoke_links` does.

        Args:
            task_id: Whose links; a task of any key.

        Returns:
            Whether there is such a task.
        """
        return self._call(lambda: self._server.revoke_links(task_id))

    def start(self) -> None:
        """Start the server; returns when it answers requests.

        Raises:
            ConfigurationError: The address cannot be listened on.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def close(self) -> None:
        """End the tasks, stop listening, and wait for the thread."""
        loop = self._loop
        if loop is not None and self._thread.is_alive():
            # An asyncio.Event may be set in its own thread only.
            loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        try:
            await self._server.start()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that called start
            self._failure = error
            return
        finally:
            # After a failure too: `start` waits for this event in any case.
            self._loop = asyncio.get_running_loop()
            self._ready.set()
        try:
            await self._stop.wait()
        finally:
            await self._server.aclose()

    def _call(self, function: Callable[[], ResultT]) -> ResultT:
        """Call a function in the server's thread, where nothing changes meanwhile."""
        # No other thread uses the server before the start and after the end.
        if self._loop is None or not self._thread.is_alive():
            return function()

        async def call() -> ResultT:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()
