"""Search the web, and one website, for passages on live pages. Each call says what it costs.

    python examples/search.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio

from _target import reachable_api

from browser_use_async import BrowserUseSession, errors, prices


async def main() -> None:
    """Ask one website, then look for websites."""
    async with reachable_api() as page, BrowserUseSession() as session:
        print(f"one website, {prices.search_url_cents(depth=2)} cents:")
        found = await session.search.search_url(page, "where do you build bicycles", depth=2)
        print(f"  {found.url}\n    {found.content[:200]}")

        print(f"up to 2 websites, {prices.simple_search_cents(max_websites=2, depth=2)} cents:")
        try:
            results = await session.search.simple_search("opening hours", max_websites=2, depth=2)
        except errors.APIConnectionError as error:
            # The service does not report whether a search ran, so a search is never sent again on a
            # guess.
            print("  it", "may have been" if error.sent else "was not", "paid:", error)
        else:
            for result in results:
                print(f"  {result.url}\n    {result.content[:200]}")


if __name__ == "__main__":
    asyncio.run(main())
