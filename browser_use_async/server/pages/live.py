"""The live page of a task: `/live/TOKEN`, and `/share/TOKEN` without controls."""

import html
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from browser_use_async.api.converter import unstructure
from browser_use_async.server.pages.links import Links
from browser_use_async.server.pages.templates import fragment, html_page
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.progress import StepFacts


def live_state(
    record: TaskRecord, facts: Sequence[StepFacts], *, after: int = 0, tells_cost: bool
) -> dict[str, Any]:
    """The state of a task, in the form that the script of the page reads."""
    known = zip(record.steps[after:], facts[after:], strict=False)  # one may have come between
    return {
        "status": str(record.status),
        "ended": record.status.is_terminal,
        "steps": [
            {
                **unstructure(step),
                "taken_at": each.taken_at,
                "cost_cents": each.as_json()["cost_cents"] if tells_cost else None,
            }
            for step, each in known
        ],
        "output": record.output,
        "failure": record.failure,
    }


def live_page(
    record: TaskRecord,
    steps: list[dict[str, Any]],
    links: Links,
    *,
    may_steer: bool,
    waits_for: str | None,
    notice: str,
) -> web.Response:
    """Return the page with the current steps and a notice; its script updates both."""
    # The newest screenshot until the first frame comes, and without JavaScript.
    picture = links.file_url(record.id, record.screenshots[-1]) if record.screenshots else ""
    # From the address at which the page is opened: no other one may be shown on it.
    picture = picture.removeprefix(links.url)
    width, height = record.viewport
    # Parts of the page that are hidden while they are empty.
    parts = {
        "picture": picture,
        "elsewhere": notice,
        "output": record.output or "",
        "failure": record.failure or "",
    }
    values = {
        **parts,
        **{f"{name}_hidden": "" if text else "hidden" for name, text in parts.items()},
        "task": record.task,
        "status": str(record.status),
        "created_at": unstructure(record.created_at),
        "ended": "true" if record.status.is_terminal else "false",
        "step_count": str(len(record.steps)),
        "no_picture_hidden": "hidden" if picture else "",
        "width": str(width),
        "height": str(height),
        "now": f"Waits for {waits_for}." if waits_for else "",
    }
    script = "live/steering.js" if may_steer else "live/live.js"
    markup = {
        "steps": _steps(steps, unstructure(record.created_at)),
        "view_only": "" if may_steer else '<span class="note">view only</span>',
        "buttons": fragment("live_buttons.html") if may_steer else "",
        "typing": fragment("live_typing.html") if may_steer else "",
    }
    return html_page("live.html", values, markup, styles=("live.css",), script=script)


def ended_page(status: int, reason: str, home: str = "/") -> web.Response:
    """Return the page for a link that leads to no task any more, with a link home."""
    return _notice(status, "This link has ended", reason, home)


def missing_page() -> web.Response:
    """Return the page for an address at which there is nothing."""
    reason = "The address may have been mistyped, or what stood here has moved."
    return _notice(404, "There is no page here", reason)


def _notice(status: int, title: str, reason: str, home: str = "/") -> web.Response:
    values = {"title": title, "reason": reason, "status": str(status), "home": home}
    response = html_page("notice.html", values, {}, styles=("notice.css",))
    response.set_status(status)
    return response


def _steps(steps: list[dict[str, Any]], created_at: str) -> str:
    """The HTML of the steps; the script builds the same."""
    judgements = [each["evaluation_previous_goal"] for each in steps[1:]]
    begun = [created_at, *(each["taken_at"] for each in steps)]
    return "".join(_step(*each) for each in zip(steps, [*judgements, ""], begun, strict=False))


def _step(step: Any, judgement: str, begun: str) -> str:
    """One step; how it went is what the next one says. The script puts its facts into words."""
    parts = (("goal", step["next_goal"]), ("url", step["url"]), ("evaluation", judgement))
    inner = "".join(f'<p class="{name}">{html.escape(text)}</p>' for name, text in parts if text)
    times = f'data-from="{begun}" data-to="{step["taken_at"]}" data-cents="{step["cost_cents"]}"'
    return f'<li>{inner}<p class="facts" {times}></p></li>'
