"""Get the answer as an instance of your own class.

    python examples/structured_output.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio
from dataclasses import dataclass

from _target import reachable_api

from browser_use_async import BrowserUseSession, errors


@dataclass
class Link:
    """A link of a web page."""

    text: str
    url: str


@dataclass
class WebPage:
    """What we want to know about a web page. The agent reads this sentence too."""

    title: str
    links: list[Link]
    description: str | None = None


async def main() -> None:
    """Read a page into a `WebPage`. pydantic models, attrs classes and TypedDicts work as well."""
    async with reachable_api() as page, BrowserUseSession() as session:
        try:
            task = await session.run_and_wait(
                f"Open {page} and extract its title, its description and its links",
                output_type=WebPage,
                timeout=300,
            )
        except errors.OutputValidationError as error:
            print("the answer does not fit, and is paid for:", error.raw_output)
            return
        web_page = task.parsed  # a WebPage, for type checkers too
        print("title:", web_page.title)
        print("about:", web_page.description)
        for link in web_page.links:
            print("link: ", link.text, "->", link.url)
        print("cost: ", session.cost(task), "cents")


if __name__ == "__main__":
    asyncio.run(main())
