"""The environment of a shell and files in a home directory do not change calls."""

import asyncio
import os
import sys

from tests.support.hygiene import KEY, SIGNATURE
from tests.support.wire import Connection, WireServer, answering, response

PROGRAM = """
import asyncio, sys
from browser_use_async import BrowserUseSession

async def main():
    async with BrowserUseSession() as session:
        await session.tasks.get_status("t-1")
        await session.tasks.run("Buy milk")
        await session.files.upload(b"1", file_name="a.csv")

asyncio.run(main())
"""


async def _run(**variables: str) -> tuple[int | None, str]:
    """Run the program in another process; its exit code and its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        env={**os.environ, **variables},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaints = await process.communicate()
    return process.returncode, complaints.decode()


async def test_netrc_and_proxies_are_ignored(serve, tmp_path):
    """Another process under HTTP_PROXY and a netrc with a default entry: neither is used.

    The proxy gets no byte, the API gets the key and the storage of a signed URL no credentials.
    """
    proxy = await serve(answering(response(200, '"running"')))
    storage = await serve(answering(response(200, "")))

    async def api(connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            connection.send(response(200, _answer(request.target, storage)))

    server = await serve(api)
    (tmp_path / ".netrc").write_text("default login someone password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    address = f"http://127.0.0.1:{proxy.port}"
    proxies = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")

    code, complaints = await _run(
        HOME=str(tmp_path),
        NETRC=str(tmp_path / ".netrc"),
        BROWSER_USE_API_KEY=KEY,
        BROWSER_USE_BASE_URL=server.url,
        NO_PROXY="",
        no_proxy="",
        **dict.fromkeys(proxies, address),
    )

    assert (code, complaints) == (0, "")
    assert proxy.bytes_received == 0
    assert {each.headers["authorization"] for each in server.requests} == {f"Bearer {KEY}"}
    assert [each.method for each in storage.requests] == ["PUT"]
    assert "authorization" not in storage.requests[0].headers


def _answer(target: str, storage: WireServer) -> str:
    if target.endswith("/presigned-url"):
        return f'{{"upload_url":"http://127.0.0.1:{storage.port}/a?sig={SIGNATURE}"}}'
    return '{"id":"t-1"}' if target.endswith("/run-task") else '"running"'
