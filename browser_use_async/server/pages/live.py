"""The page on which a person watches a task: `/live/TOKEN`, and `/share/TOKEN` for everybody."""

import html
from typing import Any

from aiohttp import web

from browser_use_async.contract.conversion import unstructure
from browser_use_async.server.links import Links
from browser_use_async.server.pages.templates import html_page
from browser_use_async.server.storage import TaskRecord

__all__ = ["live_page", "live_state"]


def live_state(record: TaskRecord, links: Links) -> dict[str, Any]:
    """What the page's script asks for every second.

    Args:
        record: The task.
        links: Addresses on this server.
    """
    newest = record.screenshots[-1] if record.screenshots else None
    return {
        "task": record.task,
        "status": str(record.status),
        "ended": record.status.is_terminal,
        "created_at": unstructure(record.created_at),
        "finished_at": unstructure(record.finished_at),
        "steps": unstructure(record.steps),
        "screenshot": newest and links.file(record.id, newest),
        "output": record.output,
        "failure": record.failure,
    }


def live_page(record: TaskRecord, links: Links) -> web.Response:
    """The page as it stands now; its script keeps it up to date.

    Args:
        record: The task.
        links: Addresses on this server.
    """
    state = live_state(record, links)
    values = {
        "task": record.task,
        "status": state["status"],
        "created_at": state["created_at"],
        "ended": "true" if state["ended"] else "false",
        "step_count": str(len(record.steps)),
        "screenshot": state["screenshot"] or "",
        "screenshot_hidden": "" if state["screenshot"] else "hidden",
        "output": record.output or "",
        "output_hidden": "" if record.output else "hidden",
        "failure": record.failure or "",
        "failure_hidden": "" if record.failure else "hidden",
    }
    return html_page("live.html", values, {"steps": "".join(map(_step, state["steps"]))})


def _step(step: dict[str, Any]) -> str:
    """One item of the list of steps; the script builds the same."""
    parts = (
        ("p", "goal", step["next_goal"]),
        ("p", "evaluation", step["evaluation_previous_goal"]),
        ("p", "url", step["url"]),
    )
    inner = "".join(
        f'<{tag} class="{name}">{html.escape(text)}</{tag}>' for tag, name, text in parts if text
    )
    return f"<li>{inner}</li>"
