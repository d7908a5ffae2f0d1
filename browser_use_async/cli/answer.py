"""A finished task as an answer: text on a terminal, JSON in a pipe, or only its output."""

import json
from decimal import Decimal

from browser_use_async import Task, TaskStatus
from browser_use_async.api.converter import unstructure
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import option
from browser_use_async.cli.progress import counted, status_span
from browser_use_async.cli.screen import Span, Style
from browser_use_async.cli.streams import answer_of
from browser_use_async.prices import format_cents

_SEPARATOR = " · "


OUTPUT_ONLY = option("-q --output-only", "print only the output of the task, unchanged, and errors")


def print_answer(
    task: Task,
    console: Console,
    *,
    output_only: bool,
    cost_cents: Decimal | None = None,
) -> None:
    """Print a task to stdout.

    Args:
        task: The task.
        console: Where to print it.
        output_only: Whether to print only its output.
        cost_cents: What it cost by the published prices, in US cents, if that is known.

    Raises:
        OutputError: It cannot be written; the error has the id of the task.
    """
    with answer_of(task.id):
        if output_only:
            console.answer(task.output or "")
        elif console.shows_text:
            _print_for_people(task, console, cost_cents)
        else:
            console.result(unstructure(task))


def _print_for_people(task: Task, console: Console, cost_cents: Decimal | None) -> None:
    if task.output:
        console.line(("Answer", Style.STRONG))
        console.answer(_readable(task.output))
        console.line()
    console.line(*_summary(task, cost_cents))
    # The reason of a failure is printed elsewhere: a command that waits ends with the error.
    if task.failure is None and task.status is not TaskStatus.FINISHED and task.steps:
        last = task.steps[-1]
        console.line(("last step: ", Style.FAINT), last.evaluation_previous_goal or last.next_goal)
    if task.live_url is not None and not task.status.is_terminal:
        console.line(("watch live at ", Style.FAINT), (task.live_url, Style.LINK))
    if task.output_files:
        console.line("files: ", ", ".join(task.output_files))
        console.line(
            ("to download them: ", Style.FAINT),
            f"browser-use-async files download {task.id} --all",
        )
    console.line(("task ", Style.FAINT), task.id)


def _readable(output: str) -> str:
    """An answer that is JSON, with line breaks; any other answer unchanged."""
    try:
        value = read_json(output.encode("utf-8", "surrogatepass"))
    except JsonRefusedError:
        return output
    is_document = isinstance(value, dict | list)
    return json.dumps(value, ensure_ascii=False, indent=2) if is_document else output


def _summary(task: Task, cost_cents: Decimal | None) -> list[Span]:
    """The status, steps, cost and duration in one line."""
    parts = [counted(len(task.steps), "step")]
    # The model of a task that another command created is unknown, and so is its price.
    if cost_cents is not None:
        parts.append(f"about {format_cents(cost_cents)}")
    if task.duration is not None:
        parts.append(f"{task.duration:.1f} s")
    return [status_span(task.status), _SEPARATOR, _SEPARATOR.join(parts)]
