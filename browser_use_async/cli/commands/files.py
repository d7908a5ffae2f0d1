"""`files`: uploads for tasks to use, and downloads of what tasks made."""

import argparse
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from browser_use_async.cli.actions import Action, add_actions, run_action
from browser_use_async.cli.connect import Connection
from browser_use_async.cli.console import Console
from browser_use_async.cli.progress import Transfers
from browser_use_async.errors import ConfigurationError
from browser_use_async.files import OnProgress

_Download = Callable[[OnProgress], Awaitable[list[Path]]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    add_actions(parser, _ACTIONS)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the action that was given."""
    return await run_action(_ACTIONS, options, console)


def _configure_upload(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", type=_file, metavar="PATH", help="files of 10 MB at most each"
    )
    parser.add_argument("--name", metavar="NAME", help="what to call a single file at the service")


def _configure_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK_ID|TOKEN", help="the task")
    parser.add_argument("names", nargs="*", metavar="FILE_NAME", help="output files to download")
    parser.add_argument("--all", action="store_true", help="all output files")
    parser.add_argument("--screenshots", action="store_true", help="all screenshots")
    parser.add_argument("--media", action="store_true", help="all recordings")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="DIR",
        help="the directory to write to; made if it is not there",
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there already")


async def _upload(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    if options.name is not None and len(options.paths) > 1:
        raise ConfigurationError("--name names one file; upload several without it")
    transfers, names = Transfers(console), list[str]()
    for path in options.paths:
        name = await transfers.attempt(path.name, _uploading(connection, path, options.name))
        if name is not None:
            names.append(name)
    console.result(names)
    return transfers.code


def _uploading(
    connection: Connection, path: Path, name: str | None
) -> Callable[[OnProgress], Awaitable[str]]:
    async def upload(on_progress: OnProgress) -> str:
        uploaded = await connection.session.upload_file(path, file_name=name)
        # An upload reports no progress, so the whole size is shown at its end.
        on_progress(size, size)
        return uploaded

    size = path.stat().st_size
    return upload


async def _download(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    if not (options.names or options.all or options.screenshots or options.media):
        raise ConfigurationError(
            "nothing to download: name output files, or say --all, --screenshots or --media"
        )
    transfers, paths = Transfers(console), list[str]()
    for label, download in await _downloads(connection, options):
        paths += map(str, await transfers.attempt(label, download) or ())
    if not paths and not transfers.code:
        console.info("the task has no such files")
    console.result(paths)
    return transfers.code


async def _downloads(
    connection: Connection, options: argparse.Namespace
) -> list[tuple[str, _Download]]:
    """The downloads to make, each with its label."""
    session = connection.session
    task_id = session.handle(options.task).id
    # The separator at the end says that it is a directory, though it may not be there yet.
    directory = os.path.join(options.output, "")  # noqa: PTH118 - a Path would drop it
    names: list[str] = options.names
    overwrite: bool = options.force
    if options.all:
        task = await session.tasks.get(task_id)
        names = [*names, *(task.output_files or ())]

    def output_file(name: str) -> _Download:
        async def download(on_progress: OnProgress) -> list[Path]:
            return [
                await session.download_output_file(
                    task_id, name, directory, overwrite=overwrite, on_progress=on_progress
                )
            ]

        return download

    async def screenshots(on_progress: OnProgress) -> list[Path]:
        return await session.download_screenshots(
            task_id, directory, overwrite=overwrite, on_progress=on_progress
        )

    async def media(on_progress: OnProgress) -> list[Path]:
        return await session.download_media(
            task_id, directory, overwrite=overwrite, on_progress=on_progress
        )

    wanted = [(name, output_file(name)) for name in dict.fromkeys(names)]
    if options.screenshots:
        wanted.append(("screenshots", screenshots))
    if options.media:
        wanted.append(("recordings", media))
    return wanted


def _file(text: str) -> Path:
    path = Path(text)
    if not os.path.isfile(path):  # noqa: PTH113 - false for a name that is too long, too
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return path


_ACTIONS = {
    "upload": Action(
        "upload files and print their names at the service", _configure_upload, _upload
    ),
    "download": Action(
        "download what a task made and print the paths", _configure_download, _download
    ),
}
