"""`files`: uploads for tasks to use, and downloads of what tasks made."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from browser_use_async import BrowserUseSession
from browser_use_async.cli.command import Group
from browser_use_async.cli.completers import complete_tasks
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, exit_code_of
from browser_use_async.cli.options import Argument, ServerOptions, complete_files, option
from browser_use_async.cli.screen import Style
from browser_use_async.errors import BrowserUseError, ConfigurationError
from browser_use_async.files import OnProgress

ResultT = TypeVar("ResultT")
# Without a terminal each update is a new line, so there are fewer updates.
_SECONDS_BETWEEN_LINES = 2.0

files = Group(
    "files",
    "Upload files for tasks, and download what tasks made.",
    examples=(
        "files upload prices.csv",
        "files download TASK_ID report.pdf",
        "files download TASK_ID --all -o results",
    ),
)


def _file(text: str) -> Path:
    path = Path(text)
    if not os.path.isfile(path):  # noqa: PTH113 - false for a name that is too long, too
        raise click.BadParameter(f"there is no file {text!r}")
    return path


class _Transfers:
    """Several transfers; a failed one does not stop the next."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.code = ExitCode.FINISHED

    async def attempt(
        self, label: str, transfer: Callable[..., Awaitable[ResultT]]
    ) -> ResultT | None:
        """Make one transfer, which gets `on_progress`, and show it; None if it failed."""
        try:
            with self._displayed(label) as on_progress:
                return await transfer(on_progress=on_progress)
        except BrowserUseError as error:
            self._console.error(f"{label}: {error}")
            if self.code is ExitCode.FINISHED:
                self.code = exit_code_of(error)
            return None

    @contextmanager
    def _displayed(self, label: str) -> Generator[OnProgress, None, None]:
        clock = asyncio.get_running_loop()
        reported_at, moved = clock.time(), 0
        with self._console.status(label) as update:

            def on_progress(received: int, total: int | None) -> None:
                nonlocal reported_at, moved
                moved = received
                text = f"{label}: {received:,} {'' if total is None else f'of {total:,} '}bytes"
                update(text)
                if not self._console.is_interactive:
                    now = clock.time()
                    if now - reported_at >= _SECONDS_BETWEEN_LINES:
                        self._console.info(text)
                        reported_at = now

            yield on_progress
        self._console.info(("ok ", Style.GOOD), f"{label}: {moved:,} bytes")


@files.action(
    "upload",
    Argument(
        "paths",
        "PATH",
        "the files, each of at most 10 MB",
        nargs=-1,
        required=True,
        type=_file,
        shell_complete=complete_files,
    ),
    option("--name NAME", "another name for the file; for one file only"),
)
async def _upload(
    console: Console, server: ServerOptions, paths: Sequence[Path], name: str | None
) -> int:
    """Upload files, and print the names under which tasks find them."""
    if name is not None and len(paths) > 1:
        raise ConfigurationError("--name names one file; upload several without it")
    transfers, names = _Transfers(console), list[str]()
    async with connect(server, console) as connection:
        for path in paths:
            uploaded = await transfers.attempt(
                path.name, _uploading(connection.session, path, name)
            )
            if uploaded is not None:
                names.append(uploaded)
    console.result(names)
    return transfers.code


def _uploading(
    session: BrowserUseSession, path: Path, name: str | None
) -> Callable[..., Awaitable[str]]:
    async def upload(*, on_progress: OnProgress) -> str:
        uploaded = await session.files.upload(path, file_name=name)
        # An upload reports no progress, so its whole size is shown at the end.
        on_progress(size, size)
        return uploaded

    size = path.stat().st_size
    return upload


@files.action(
    "download",
    Argument("task", "TASK_ID|TOKEN", "the task", shell_complete=complete_tasks),
    Argument("names", "FILE_NAME", "the output files to download", nargs=-1),
    option("--all", "all output files", name="every"),
    option("--screenshots", "all screenshots"),
    option("--media", "all recordings"),
    option(
        "-o --output DIR",
        "the folder to write to, created if it does not exist (default: the working folder)",
        default=".",
        shell_complete=complete_files,
    ),
    option("--force", "replace existing files"),
)
async def _download(
    console: Console,
    server: ServerOptions,
    task: str,
    names: Sequence[str],
    every: bool,
    screenshots: bool,
    media: bool,
    output: str,
    force: bool,
) -> int:
    """Download the files of a task, and print their paths."""
    if not (names or every or screenshots or media):
        raise ConfigurationError(
            "nothing to download: name output files, or say --all, --screenshots or --media"
        )
    # The separator at the end marks it as a directory, which may not exist yet.
    directory = os.path.join(output, "")  # noqa: PTH118 - a Path would remove it
    transfers, paths = _Transfers(console), list[str]()
    async with connect(server, console) as connection:
        session = connection.session
        task_id = session.handle(task).id
        if every:
            names = [*names, *((await session.tasks.get(task_id)).output_files or ())]
        for name in dict.fromkeys(names):
            path = await transfers.attempt(
                name,
                partial(
                    session.files.download_output_file, task_id, name, directory, overwrite=force
                ),
            )
            paths += [] if path is None else [str(path)]
        for label, fetch, is_wanted in (
            ("screenshots", session.files.download_screenshots, screenshots),
            ("recordings", session.files.download_media, media),
        ):
            if is_wanted:
                found = await transfers.attempt(
                    label, partial(fetch, task_id, directory, overwrite=force)
                )
                paths += map(str, found or ())
    if not paths and not transfers.code:
        console.info("the task has no such files")
    console.result(paths)
    return transfers.code
