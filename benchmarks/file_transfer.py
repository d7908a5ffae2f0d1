"""How fast, and with how much memory, a large file is downloaded: this package beside httpx.

Run it with a Python that has this package, and httpx if it is to be compared:

    python benchmarks/file_transfer.py --megabytes 200 --rounds 5

A server in a process of its own sends the file from memory over loopback. Each download runs in
a fresh process, the contestants by turns. "Growth" is the highest resident memory during the
download less that just before it.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MEGABYTE = 1024 * 1024
MEGABYTES = 200
ROUNDS = 7
BLOCK = bytes(range(256)) * 4096  # one megabyte


# --- the server ---------------------------------------------------------------------------------


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if "/output-file/" in head:
                port = writer.get_extra_info("sockname")[1]
                body = json.dumps({"download_url": f"http://127.0.0.1:{port}/file?signature=x"})
                writer.write(_head("application/json", len(body)) + body.encode())
                continue
            writer.write(_head("application/octet-stream", size * MEGABYTE))
            for _ in range(size):
                writer.write(BLOCK)
                await writer.drain()


def _head(kind: str, length: int) -> bytes:
    return (
        f'HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nETag: "1"\r\n\r\n'
    ).encode()


def serve(connection: Connection, size: int) -> None:
    """Serve for ever, and report the port first."""

    async def run() -> None:
        server = await asyncio.start_server(lambda r, w: _answer(r, w, size), "127.0.0.1", 0)
        connection.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


# --- the contestants ----------------------------------------------------------------------------


async def ours(port: int, target: Path) -> None:
    """`session.files.download_output_file`: continued after cuts, checked, synchronised to disk."""
    from browser_use_async import BrowserUseSession  # noqa: PLC0415 - each in its own process

    async with BrowserUseSession("bench", base_url=f"http://127.0.0.1:{port}/api/v1") as session:
        await _measured(lambda: session.files.download_output_file("t", "file.bin", target))


async def with_httpx(port: int, target: Path) -> None:
    """The usual loop with httpx; no checks, no resuming."""
    httpx = import_module("httpx")  # not among the packages that the tests need

    async with httpx.AsyncClient() as client:

        async def download() -> None:
            async with client.stream("GET", f"http://127.0.0.1:{port}/file") as response:
                with target.open("wb") as file:
                    async for chunk in response.aiter_bytes():
                        file.write(chunk)

        await _measured(download)


async def with_aiohttp(port: int, target: Path) -> None:
    """The usual loop with aiohttp; no checks, no resuming."""
    import aiohttp  # noqa: PLC0415

    async with aiohttp.ClientSession() as session:

        async def download() -> None:
            async with session.get(f"http://127.0.0.1:{port}/file") as response:
                with target.open("wb") as file:
                    async for chunk in response.content.iter_chunked(256 * 1024):
                        file.write(chunk)

        await _measured(download)


CONTESTANTS: dict[str, Callable[[int, Path], Coroutine[Any, Any, None]]] = {
    "browser-use-async": ours,
    "aiohttp, bare loop": with_aiohttp,
    "httpx, bare loop": with_httpx,
}


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


async def _measured(download: Callable[[], Awaitable[object]]) -> None:
    _forget_peak()
    before, started, used = _memory("VmRSS"), time.perf_counter(), time.process_time()
    await download()
    seconds, used = time.perf_counter() - started, time.process_time() - used
    print(json.dumps({"seconds": seconds, "cpu": used, "growth": _memory("VmHWM") - before}))


# --- the table ----------------------------------------------------------------------------------


def _run_one(name: str, port: int, size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "file.bin"
        result = subprocess.run(
            [sys.executable, __file__, "--contestant", name, "--port", str(port), str(target)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert target.stat().st_size == size * MEGABYTE
    figures: dict[str, float] = json.loads(result.stdout)
    return figures


def measure(size: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """The runs of every contestant."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there, size), daemon=True)
    server.start()
    names = [name for name in CONTESTANTS if "httpx" not in name or find_spec("httpx")]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    try:
        port: int = here.recv()
        for _ in range(rounds):
            for name in names:
                results[name].append(_run_one(name, port, size))
    finally:
        server.terminate()
        server.join()
    return results


def table(size: int = MEGABYTES, rounds: int = ROUNDS) -> str:
    """The figures as a Markdown table."""
    return render(measure(size, rounds), size, rounds)


def render(results: dict[str, list[dict[str, float]]], size: int, rounds: int) -> str:
    """The figures as a Markdown table."""
    lines = [
        f"Downloading {size} MB over loopback to a file, medians of {rounds} rounds:",
        "",
        "| | MB/s | CPU seconds | growth of resident memory, MB |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, runs in results.items():
        seconds, cpu, growth = (
            statistics.median(run[figure] for run in runs)
            for figure in ("seconds", "cpu", "growth")
        )
        lines.append(f"| {name} | {size / seconds:.0f} | {cpu:.2f} | {growth / MEGABYTE:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or be one of the contestants."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("target", type=Path, nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant is None:
        print(table(options.megabytes, options.rounds))
    else:
        asyncio.run(CONTESTANTS[options.contestant](options.port, options.target))


if __name__ == "__main__":
    main()
