"""Give a file to a task, and fetch the file that the task makes of it.

    python examples/files_in_and_out.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio
import tempfile

from _target import reachable_api

from browser_use_async import BrowserUseSession

ORDERS = b"""\
Item,Pieces,Price
Bicycle bell,3,12.50
Inner tube,10,6.90
Saddle,1,49.00
"""


def show_bytes(received: int, total: int | None) -> None:
    """Print how far the download is."""
    print(f"downloaded {received} of {total or '?'} bytes")


async def main() -> None:
    """Upload a CSV file, let a task read it, and download what the task wrote."""
    with tempfile.TemporaryDirectory() as folder:
        async with reachable_api(), BrowserUseSession() as session:
            name = await session.files.upload(ORDERS, file_name="orders.csv")  # or a path
            task = await session.run_and_wait(
                f"Read {name} and save the table as report.csv",
                included_file_names=[name],
                timeout=300,
            )
            print("answer:", task.output)
            print("cost:  ", session.cost(task), "cents")
            for file_name in task.output_files or ():
                written = await session.files.download_output_file(
                    task.id, file_name, folder, on_progress=show_bytes
                )
                print(f"{written.name}:\n{written.read_text()}")


if __name__ == "__main__":
    asyncio.run(main())
