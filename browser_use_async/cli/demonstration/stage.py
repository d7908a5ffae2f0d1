"""Running the parts of the demo side by side, and telling how they went."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import attrs

from browser_use_async import BrowserUseSession
from browser_use_async.cli.console import Console, Span, Style
from browser_use_async.cli.demonstration.parts import (
    FRONT_PAGE,
    PARTS,
    FrontPage,
    Guide,
    Part,
    UnexpectedError,
)
from browser_use_async.cli.progress import Progress
from browser_use_async.errors import BrowserUseError

__all__ = ["Outcome", "perform", "shown", "summarize"]

_COLOURS = (Style.CYAN, Style.GOOD, Style.WAITING, Style.MAGENTA, Style.BLUE)
_COLUMN = max(len(part.name) for part in PARTS) + 2


@attrs.frozen
class Outcome:
    """How one part went."""

    part: Part
    seconds: float  # how long it took
    result: object = None  # what it gave
    problem: str | None = None  # what went otherwise than it should, or None


async def perform(session: BrowserUseSession, site_url: str, console: Console) -> list[Outcome]:
    """Run all parts at once, and show their steps as they come."""
    works: dict[str, asyncio.Task[Outcome]] = {}

    async def front_page() -> FrontPage:
        outcome = await asyncio.shield(works[FRONT_PAGE.name])
        if not isinstance(outcome.result, FrontPage):
            raise UnexpectedError(f"it needs the result of {FRONT_PAGE.name!r}, and there is none")
        return outcome.result

    def guide(progress: Progress, prefix: Span) -> Guide:
        def say(text: str) -> None:
            console.say(prefix, text)

        return Guide(session, site_url, front_page, progress.follow, say)

    async def play(part: Part, prefix: Span) -> Outcome:
        began = asyncio.get_running_loop().time()
        problem, result = None, None
        try:
            async with Progress(console, prefix=(prefix,), spinning=False) as progress:
                result = await part.run(guide(progress, prefix))
        except (BrowserUseError, UnexpectedError) as error:
            problem = f"{type(error).__name__}: {error}"
        seconds = asyncio.get_running_loop().time() - began
        verdict: Span = ("as expected", Style.GOOD) if problem is None else ("failed", Style.BAD)
        console.say(prefix, verdict, f" after {seconds:.1f} s")
        return Outcome(part, seconds, result, problem)

    with console.working("five tasks are under way, over one session"):
        async with asyncio.TaskGroup() as group:
            for part, colour in zip(PARTS, _COLOURS, strict=True):
                prefix = (part.name.ljust(_COLUMN), colour)
                works[part.name] = group.create_task(play(part, prefix))
    return [work.result() for work in works.values()]


def summarize(
    outcomes: Sequence[Outcome], requests: "Counter[str]", cents: Decimal, console: Console
) -> None:
    """Tell how the parts went, and what they cost."""
    console.say()
    console.say(("Results", Style.STRONG))
    for outcome in outcomes:
        good = outcome.problem is None
        verdict: Span = ("ok      ", Style.GOOD) if good else ("failed  ", Style.BAD)
        prefix: list[Span] = [(outcome.part.name.ljust(_COLUMN), Style.STRONG), verdict]
        seconds = f"{outcome.seconds:4.1f} s  "
        lines = shown(outcome.result) if good else [str(outcome.problem)]
        console.item([*prefix, (seconds, Style.FAINT)], lines[0])
        indent = " " * (_COLUMN + len(verdict[0]) + len(seconds))
        for line in lines[1:]:
            console.item([indent], line)
    console.say()
    costs = ", ".join(f"{count} {name}" for name, count in requests.most_common())
    console.item([("Cost  ", Style.STRONG)], f"{requests.total()} requests to the server: {costs}")
    price = f"${cents / 100:.2f} by the published prices of the hosted service; here, nothing"
    console.item(["      "], price)


def shown(result: object) -> list[str]:
    """The result of a part in lines for a person."""
    if not isinstance(result, FrontPage):
        return str(result).splitlines() or ["(nothing)"]
    others = len(result.links) - 1
    return [
        f"{type(result).__name__}(title={result.title!r},",
        f"description={result.description!r},",
        f"links=[{result.links[0]!r}, and {others} more])",
    ]
