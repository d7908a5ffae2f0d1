"""A web app that awaits tasks. One session serves all requests and lives as long as the app.

    pip install fastapi uvicorn
    uvicorn fastapi_app:app --app-dir examples
    curl localhost:8000/tasks --json '{"task": "Open https://example.com and tell me its title"}'
    curl -N localhost:8000/tasks/TASK_ID/events

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

from _target import reachable_api
from fastapi import Body, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse

from browser_use_async import BrowserUseSession, Task, errors

# The status for each error, special classes first. Any other error is answered with 500.
STATUS_OF_ERROR: tuple[tuple[type[errors.BrowserUseError], int], ...] = (
    (errors.InvalidRequestError, 422),
    (errors.NotFoundError, 404),
    (errors.WaitTimeoutError, 504),  # the task goes on, and its id is in the answer
    (errors.TaskError, 502),  # the task ended as failed or stopped
    (errors.RateLimitError, 503),
    (errors.PaymentRequiredError, 503),
    (errors.APIConnectionError, 503),
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Own the session: it is opened in the app's event loop and closed with the app."""
    async with reachable_api() as page, BrowserUseSession() as session:
        app.state.session, app.state.page = session, page
        yield


app = FastAPI(title="Tasks", lifespan=lifespan)


@app.exception_handler(errors.BrowserUseError)
async def explain(request: Request, error: errors.BrowserUseError) -> JSONResponse:
    """Answer an error of the package with a status that says what to do about it."""
    status = next((code for kind, code in STATUS_OF_ERROR if isinstance(error, kind)), 500)
    seconds = getattr(error, "retry_after", None)
    headers = {} if seconds is None else {"Retry-After": f"{seconds:.0f}"}
    body = {"error": type(error).__name__, "detail": str(error), "task_id": error.task_id}
    return JSONResponse(body, status, headers)


async def while_connected(request: Request, work: Coroutine[Any, Any, Task]) -> Task:
    """Await work for a client, and cancel it when the client disconnects: FastAPI does not."""
    working = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({working}, timeout=0.5))[0]:
            if await request.is_disconnected():
                raise HTTPException(499, "The client has left")  # the client does not read it
        return working.result()
    finally:
        working.cancel()  # this stops the task of a `run_and_wait`
        await asyncio.wait({working})


@app.post("/tasks")
async def run_task(
    request: Request,
    task: Annotated[str, Body()],
    timeout: Annotated[float, Body(gt=0, le=300)] = 60.0,
) -> dict[str, str | None]:
    """Run a task and answer with its result, or with 504 when it takes too long."""
    work = request.app.state.session.run_and_wait(task, timeout=timeout, on_timeout="leave")
    done = await while_connected(request, work)
    return {"id": done.id, "status": done.status, "output": done.output}


@app.get("/tasks/{task_id}/events")
async def stream_status(request: Request, task_id: str) -> StreamingResponse:
    """Send the status of a task, and each change, as server-sent events."""
    session: BrowserUseSession = request.app.state.session
    await session.tasks.get_status(task_id)  # an unknown task is answered with 404, not a stream

    async def events() -> AsyncIterator[str]:
        async for status in session.stream_status(task_id, timeout=300):
            yield f"event: status\ndata: {status}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")
