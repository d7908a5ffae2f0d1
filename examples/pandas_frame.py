"""Run a task for each row of a pandas data frame, and put the answers beside the rows.

    python examples/pandas_frame.py

Needs `pip install pandas`. Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the
bundled server. With polars it is the same: `polars.DataFrame(batch.to_rows())`.
"""

import asyncio
from dataclasses import dataclass

import pandas as pd
from _target import reachable_api

from browser_use_async import BrowserUseSession
from browser_use_async.batch import BatchItem


@dataclass
class Page:
    """What the tasks find out about each page; its fields become columns."""

    title: str


async def with_answers(session: BrowserUseSession, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the answers, their costs and, where there is none, the reason."""
    tasks = [
        BatchItem(f"Open {row.url} and tell me its title", key=str(row.Index))
        for row in frame.itertuples()
    ]
    batch = session.run_many(tasks, concurrency=3, output_type=Page, max_agent_steps=20)
    await batch.collect()
    answers = pd.DataFrame(batch.to_rows()).set_index("key")
    return frame.join(answers[["parsed.title", "status", "cost_cents", "error"]])


async def main() -> None:
    """Make a frame of three pages, one of which does not exist."""
    async with reachable_api() as site, BrowserUseSession() as session:
        names = {"start": "index.html", "prices": "pricing.html", "gone": "no-such-page.html"}
        frame = pd.DataFrame({"url": {key: f"{site}{name}" for key, name in names.items()}})
        answered = await with_answers(session, frame)
        print(answered[["parsed.title", "status"]].to_string())
        print("costs:", answered["cost_cents"].sum(), "cents")


if __name__ == "__main__":
    asyncio.run(main())
