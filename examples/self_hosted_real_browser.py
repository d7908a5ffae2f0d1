"""Have a real browser fill in a form and download a file, on a server of your own.

    python examples/self_hosted_real_browser.py

Needs Chromium or Chrome; ffmpeg makes the recording. Uses no key and no language model.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from browser_use_async import BrowserUseSession
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.http.static_site import StaticSite, example_site_directory

TASK = """
Open {page} and click "Service plans"
Download the price list
Click Contact
Fill "Your name" with Ada
Fill email with ada@example.org
Select "A repair" in the list What is it about
Fill "Your message" with the secret door_code
Click Send
Wait for "Thank you, Ada"
Extract
"""


@dataclass
class Sent:
    """What the page received from the form."""

    name: str
    topic: str


async def main() -> None:
    """Start a site and a server with a browser, run the task, and save its results."""
    async with StaticSite(example_site_directory()) as site:
        # The browser may not open pages of this machine, except for this one.
        browser = ChromiumSettings(allow_private_addresses=[site.url])
        try:
            server = LocalServer(executor="chromium", chromium=browser)
        except ConfigurationError as error:
            print("no real browser:", error)
            return
        async with server, BrowserUseSession(server.api_key, base_url=server.base_url) as session:
            task = await session.run_and_wait(
                TASK.format(page=site.url),
                output_type=Sent,
                secrets={"door_code": "4711-tulip"},  # typed into the page, and never shown
                allowed_domains=["127.0.0.1"],
                timeout=120,
            )
            for step in task.steps:
                print(f"{step.step:2}. {step.next_goal}")
            print("answer:", task.parsed)
            with TemporaryDirectory() as folder:
                await session.files.download_output_file(task.id, "price-list.csv", Path(folder))
                pictures = await session.files.download_screenshots(task.id, Path(folder))
                films = await session.files.download_media(task.id, Path(folder))
                print("files: price-list.csv,", len(pictures), "pictures,", len(films), "films")


if __name__ == "__main__":
    asyncio.run(main())
