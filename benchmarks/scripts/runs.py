"""Recording a site's script, playing it on a version of the site, and judging the result."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from enum import StrEnum
from typing import Any, cast

import attrs

from benchmarks.scripts.site import Case, Do, Site, Version
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.executors.scripts.script import fill_in
from browser_use_async.server.records import Assignment, Failed, Finished, ScriptOrder, Step
from browser_use_async.types import SecretMapping
from tests.agent.scripted_model import Says, act, index_of
from tests.server.plain.running import FREE

__all__ = ["Outcome", "Tutor", "Verdict", "lines_of", "play", "record"]


class Verdict(StrEnum):
    """The verdict on a run."""

    RIGHT = "right"
    REFUSED = "refused"
    ASKED = "asked"
    WRONG = "WRONG"


@attrs.frozen
class Outcome:
    """The result of a run, and its reason."""

    verdict: Verdict
    why: str
    seconds: float
    calls: int  # of the model
    bad_changes: int  # orders and the like that must not be made, or not again
    text: str = attrs.field(default="", repr=False)  # a new version of the script


class Tutor:
    """The model: it leads the agent through a site, and knows all new names."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.begin()

    def begin(self) -> None:
        """Lead the next agent, from the first page."""
        self._groups = [*_groups(self._site.does)]

    def __call__(self, question: str) -> Says:
        """Answer one question."""
        if "You read web pages" in question:
            # A value that does not exist it makes up.
            site = self._site
            case = site.first if site.version is Version.GONE else site.case
            return cast("dict[str, Any]", case.answer)
        if not self._groups:
            text = json.dumps(self._site.case.answer)
            return act("Answer", {"done": {"text": text, "success": True}})
        actions = [_action(do, self._site, question) for do in self._groups.pop(0)]
        return act("Go on", *actions)


def _groups(does: tuple[Do, ...] | Any) -> Iterator[list[Do]]:
    """The actions of an agent for one answer: all fields of a form, and its button."""
    group = list[Do]()
    for do in does:
        group.append(do)
        if do[0] in {"click", "scroll"}:
            yield group
            group = []


def _action(do: Do, site: Site, text: str) -> dict[str, Any]:
    verb, *words = (fill_in(each, site.case.inputs) for each in do)
    if verb == "scroll":
        return {"scroll": {"down": True, "pages": 10.0}}
    is_renamed = site.version is Version.TEXTS
    index = _index(site.renamed.get(words[0], words[0]) if is_renamed else words[0], text)
    if verb == "fill":
        return {"input": {"index": index, "text": words[1]}}
    if verb == "secret":
        return {"input": {"index": index, "text": f"<secret>{words[1]}</secret>"}}
    if verb == "pick":
        return {"select_dropdown": {"index": index, "text": words[1]}}
    return {"click": {"index": index}}


def _index(label: str, text: str) -> int:
    """The number of an element; a field stands behind its label."""
    shown = text.rpartition("<browser_state>")[2]
    field = rf"^\W*{re.escape(label)}\s*\n.*?\[(\d+)\]<(?:input|select)"
    behind = re.search(field, shown, re.MULTILINE)
    return int(behind[1]) if behind is not None else index_of(label, text)


def lines_of(site: Site) -> str:
    """The task as step lines, for a first run without an agent."""
    verbs = {
        "fill": "fill “{0}” with “{1}”",
        "pick": "fill “{0}” with “{1}”",
        "secret": "fill “{0}” with the secret {1}",
        "click": "click “{0}”",
        "scroll": "scroll to the bottom",
    }
    said = ", ".join(verbs[verb].format(*words) for verb, *words in site.does)
    asked = site.asks.rpartition(". ")[2] or site.asks
    return f"Open {site.url}/, {fill_in(said, site.case.inputs)}. {asked}"


async def record(site: Site, executor: Executor, task: str = "") -> Outcome:
    """The first run, by an agent unless the task has step lines."""
    site.show(site.first, Version.SAME)
    order = ScriptOrder("bench", site.case.inputs)
    return await _run(site, executor, task or _task(site), order)


async def play(site: Site, executor: Executor, text: str, version: Version, case: Case) -> Outcome:
    """A later run."""
    site.show(case, version)
    order = ScriptOrder("bench", case.inputs, text, 1)
    return await _run(site, executor, _task(site), order)


def _task(site: Site) -> str:
    """The task in words. It names the page: an agent may do it from its beginning."""
    return f"Open {site.url}/ . {fill_in(site.asks, site.case.inputs)}"


async def _run(site: Site, executor: Executor, task: str, order: ScriptOrder) -> Outcome:
    assignment = Assignment(
        "bench", task, structured_output_json=json.dumps(_schema(site.case.answer)), script=order,
        takes_recording=False, use_proxy=False, secrets=SecretMapping(site.secrets),
        allowed_domains=["127.0.0.1"], highlight_elements=False,
    )  # fmt: skip
    began, end, asked = time.monotonic(), None, None
    async with aclosing(cast(Any, executor.run(assignment, FREE))) as items:
        async for item in items:
            if isinstance(item, Step) and item.asks_for:
                asked = item
                break  # where a person would be asked
            end = item
    seconds = time.monotonic() - began
    surplus = sum((Counter(site.log) - Counter(site.case.sent)).values())
    script = end.script if isinstance(end, Finished | Failed) else None
    verdict, why = Verdict.REFUSED, ""
    if asked is not None:
        verdict, why = Verdict.ASKED, asked.next_goal
    elif isinstance(end, Failed):
        why = end.reason
    elif isinstance(end, Finished):
        verdict, why = _judged(site, end)
    if surplus:
        verdict, why = Verdict.WRONG, f"sent {site.log}; {why}"
    text = script.text if script is not None and not script.problem else ""
    problem = script.problem if script is not None else ""
    calls = script.model_calls if script is not None else 0
    return Outcome(verdict, problem or why, seconds, calls, surplus, text)


def _judged(site: Site, end: Finished) -> tuple[Verdict, str]:
    case = site.case
    said = json.loads(end.output or "null")
    if said != case.answer:
        return Verdict.WRONG, f"said {said}"
    if sorted(site.log) != sorted(case.sent):
        return Verdict.WRONG, f"sent {site.log}"
    missing = [name for name, content in case.files.items() if end.files.get(name) != content]
    return (Verdict.WRONG, f"without {missing[0]}") if missing else (Verdict.RIGHT, "")


def _schema(answer: Any) -> dict[str, Any]:
    """The schema that an answer follows."""
    if isinstance(answer, Mapping):
        parts = {name: _schema(each) for name, each in answer.items()}
        return {"type": "object", "properties": parts, "required": [*parts]}
    if isinstance(answer, list):
        return {"type": "array", "items": _schema(answer[0])}
    kinds = {str: "string", int: "integer", float: "number"}
    return {"type": kinds[type(answer)]}
