"""Plays a script as a task: yields its steps, and its answer."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

import attrs

from browser_use_async.server import records
from browser_use_async.server.executors.agent.model import NoModelError
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.task_run import SHOWN_CHARACTERS, TaskRun
from browser_use_async.server.executors.instructions.actions import goal_of
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.reader.facts import MAX_TEXT
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.executors.scripts import answers, recorder
from browser_use_async.server.executors.scripts.healer import ModelHealer
from browser_use_async.server.executors.scripts.notation import MOST_CHARACTERS, write
from browser_use_async.server.executors.scripts.page_tree import PageNode
from browser_use_async.server.executors.scripts.player import (
    Located,
    MisplacedError,
    Played,
    ScriptPlayer,
    StepRefusedError,
)
from browser_use_async.server.executors.scripts.script import (
    MOST_PLAYED,
    Effect,
    Script,
    fill_in,
    put_inputs,
)
from browser_use_async.server.html.page import shorten
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.worker import WorkRefusedError, in_worker
from browser_use_async.server.worker_turns import JobKind

_MOST_CHARACTERS = 20_000_000  # of all pages from which one answer is read
_OTHER_SITE = (
    "The task ends here, because its secrets are for the site of the script. If the site has "
    "moved, delete the script, and the next task records it again."
)


async def play(
    assignment: records.Assignment,
    script: Script,
    task_run: TaskRun,
    context: TaskContext,
    *,
    healer: ModelHealer | None = None,
    guards: bool = True,
) -> AsyncGenerator[records.Step | records.Finished | records.Failed, None]:
    """Play a script; `guards` are turned off only to show that they are needed."""
    order = assignment.script
    assert order is not None
    player = ScriptPlayer(
        context, task_run, script, dict(order.inputs), healer=healer, guards=guards
    )
    performance = _Performance(assignment, script, order, task_run, player, healer)
    try:
        _check(script, assignment, order, can_ask=healer is not None)
        async for step in performance.steps():
            yield step
        await task_run.take_downloads()
        evaluation = await task_run.begin_step("Read the answer")
        output = await performance.answer(guards=guards)
        shown = shorten(output or "", SHOWN_CHARACTERS)
        said = f"{_after(evaluation, player.played)} {performance.in_words}"
        yield await task_run.step("Read the answer", said, shown)
        mask = SecretRedactor(assignment.secrets)
        files = {name: mask.content(content) for name, content in task_run.files.items()}
        yield records.Finished(
            output, files, await context.cookies(), script=performance.outcome(is_whole=True)
        )
    except PageNotOpenedError as error:
        outcome = performance.outcome()
        picture = await task_run.last_screenshot()
        yield records.Failed(error.reason, error.url, picture, script=outcome)
    except (CannotContinueError, NoModelError, answers.ValueNotFoundError) as error:
        said = str(error).removesuffix(".")
        reason = f"Version {order.version} of the script {script.name} does not fit. {said}."
        is_elsewhere = isinstance(error, MisplacedError) and error.is_elsewhere
        if keeps_secrets := is_elsewhere and bool(script.secrets):
            reason = f"{reason} {_OTHER_SITE}"
        url, picture = await task_run.url(), await task_run.last_screenshot()
        outcome = performance.outcome(may_go_on=not keeps_secrets)
        yield records.Failed(reason, url, picture, script=outcome)


def _check(
    script: Script, assignment: records.Assignment, order: records.ScriptOrder, *, can_ask: bool
) -> None:
    """Refuse inputs and secrets that are missing, before anything is done."""
    for what, wanted, given in (
        ("input", script.inputs, order.inputs),
        ("secret", script.secrets, assignment.secrets),
    ):
        missing = [each for each in wanted if each not in given]
        if missing:
            has = ", ".join(given) or "none"
            raise CannotContinueError(f"It needs the {what} “{missing[0]}”, and the task has {has}")
    if script.unplaced and not can_ask:
        raise CannotContinueError(f"Its answer needs a model for: {', '.join(script.unplaced)}")


@attrs.define(eq=False)
class _Performance:
    """One play of a script, with the pages that it has seen."""

    assignment: records.Assignment
    script: Script
    order: records.ScriptOrder
    task_run: TaskRun
    player: ScriptPlayer
    healer: ModelHealer | None
    pages: dict[str, list[recorder.Snapshot]] = attrs.field(factory=dict)
    characters: int = 0  # of these pages
    new_rules: tuple[answers.Rule, ...] | None = None  # the new places of the answer, by a model

    @property
    def in_words(self) -> str:
        """The numbers of played steps and of questions, as a sentence."""
        played, order = self.player.played, self.order
        steps = f"{played.steps} step{'' if played.steps == 1 else 's'}"
        asked = f"{played.model_calls} question{'' if played.model_calls == 1 else 's'}"
        return (
            f"Played {steps} of version {order.version} of the script {order.name}, with {asked} "
            "to a model."
        )

    async def steps(self) -> AsyncGenerator[records.Step, None]:
        """Take the steps."""
        needed = _pages_of(self.script)
        for number in range(len(self.script.steps)):
            name = recorder.step_name(number + 1)
            for again in range(MOST_PLAYED):
                try:
                    located = await self.player.locate(number, is_again=again > 0)
                    if located is None:
                        break
                    if name in needed:
                        self._keep_page(name, await self.player.snapshot())
                    async for step in self._take(located):
                        yield step
                except StepRefusedError as refusal:
                    yield await self._ask_person(number, refusal)
                    break
                if not located.step.repeats:
                    break
            else:
                raise StepRefusedError(f"Step {number + 1} goes on after {MOST_PLAYED} times")

    def _keep_page(self, name: str, snapshot: recorder.Snapshot) -> None:
        self.pages.setdefault(name, []).append(snapshot)
        self.characters += len(json.dumps(snapshot.tree))
        if self.characters > _MOST_CHARACTERS:
            raise CannotContinueError("Its pages have more in them than can be read together.")

    async def _take(self, located: Located) -> AsyncGenerator[records.Step, None]:
        step, run = located.step, self.task_run
        goal = goal_of(step.action)
        evaluation = _after(await run.begin_step(goal), self.player.played)
        if step.effect is Effect.CHANGES:
            # Reported before it is taken: if this process dies meanwhile, the step is known, and
            # nothing begins the task again.
            yield await run.step(f"{goal}, which changes something", evaluation)
            await self.player.take(located)
        else:
            await self.player.take(located)
            yield await run.step(f"Script: {goal}", evaluation)

    async def _ask_person(self, number: int, refusal: StepRefusedError) -> records.Step:
        """Have a person take a step that changes something, on a page that has changed."""
        step = self.player.step(number)
        if step.effect is not Effect.CHANGES or self.player.is_taking:
            raise refusal
        self.player.played.needs_person = True
        if not self.order.is_attended:
            raise refusal
        goal = goal_of(step.action)
        evaluation = _after(await self.task_run.begin_step(goal), self.player.played)
        asked = f"{str(refusal).removesuffix('.')}. Do it by hand if it is right, then resume"
        taken = await self.task_run.step(asked, evaluation)
        return attrs.evolve(taken, asks_for="approval")

    async def answer(self, *, guards: bool = True) -> str | None:
        """The answer from the pages; a model reads fields without known places."""
        if not self.script.rules and not self.script.unplaced:
            return shorten(await self.task_run.runner.text(), MAX_TEXT)
        self.pages[recorder.END] = [await self.player.snapshot()]
        trees = {name: [each.tree for each in seen] for name, seen in self.pages.items()}
        inputs = dict(self.order.inputs)
        answer: Any = {}
        try:
            if self.script.rules:
                answer = await _in_worker(read_answer, self.script, trees, inputs, guards)
        except answers.ValueNotFoundError:
            if self.healer is None:
                raise
            answer = await self._ask()
            learnt = await _in_worker(learn_again, answer, trees)
            lost = sorted({*learnt.unplaced} - {*self.script.unplaced})
            if lost:
                fields = ", ".join(each or "the answer" for each in lost)
                raise answers.ValueNotFoundError(
                    f"{fields}, as the model says it, stands nowhere on the pages"
                ) from None
            self.new_rules = put_inputs(learnt.rules, inputs)
        else:
            if self.script.unplaced:
                said = await self._ask()
                answer = said if not answer else _completed(answer, said, self.script.unplaced)
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)

    async def _ask(self) -> Any:
        assert self.healer is not None
        self.player.played.model_calls += 1
        texts: dict[str, str] = {}
        for snapshot in (each for seen in self.pages.values() for each in seen):
            texts[snapshot.url] = " ".join(_texts(snapshot.tree))
        return await self.healer.answer(texts)

    def outcome(self, *, is_whole: bool = False, may_go_on: bool = False) -> records.ScriptOutcome:
        """The result for the script."""
        played, text = self.player.played, ""
        if is_whole and (played.healed or self.new_rules is not None):
            steps = list(self.script.steps)
            for number, element in played.healed.items():
                described = put_inputs(element, self.order.inputs)
                steps[number] = attrs.evolve(steps[number], element=described)
            rules = self.script.rules if self.new_rules is None else self.new_rules
            mended = attrs.evolve(self.script, steps=tuple(steps), rules=rules)
            text = write(recorder.without_secrets(mended, self.assignment.secrets))
            if len(text) > MOST_CHARACTERS:  # which no task could read
                text = ""
        return records.ScriptOutcome(
            self.order.name,
            self.order.version,
            text,
            played.steps,
            played.model_calls,
            len(played.healed),
            may_go_on=may_go_on and not (played.has_changed or played.needs_person),
        )


async def _in_worker(work: Callable[..., Any], *given: Any) -> Any:
    try:
        return await in_worker(work, *given, seconds=3.0, kind=JobKind.READING)
    except WorkRefusedError as error:
        raise CannotContinueError(f"Reading the answer {error}.") from error


def learn_again(answer: Any, trees: dict[str, list[list[Any]]]) -> answers.Learnt:
    """Find the places of an answer's values, in a worker."""
    return answers.learn(
        answer, {name: [PageNode.of(each) for each in seen] for name, seen in trees.items()}
    )


def _completed(answer: Any, said: Any, fields: Sequence[str]) -> Any:
    """An answer, with the fields that a model has read."""
    for field in fields:
        value = said
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        answers.put_field(answer, field, value)
    return answer


def _texts(tree: list[Any]) -> Iterator[str]:
    for each in tree[2]:
        if isinstance(each, str):
            yield each
        elif not each[0].startswith("@"):
            yield from _texts(each)


def read_answer(
    script: Script, trees: dict[str, list[list[Any]]], inputs: dict[str, str], guards: bool
) -> Any:
    """Read the answer of a script from page trees, in a worker."""
    shown: list[Any] = []
    pages: dict[str, list[PageNode]] = {}
    for name, seen in trees.items():
        # The last page of a repetition is also the page after it.
        pages[name] = [PageNode.of(each) for each in seen if each not in shown[-1:]]
        shown += seen
    answer = answers.read(fill_in(script.rules, inputs), pages)
    if problem := recorder.echo_problem(script, answer, inputs):
        raise answers.ValueNotFoundError(problem)
    return answer


def _pages_of(script: Script) -> set[str]:
    """The names of the pages with the answer."""
    names = set[str]()
    for rule in script.rules:
        names.update(rule.shown if isinstance(rule, answers.ListRule) else (rule.shown,))
    return names


def _after(evaluation: str, played: Played) -> str:
    """The result of the previous step, with what was healed or closed for it."""
    said, played.said = played.said, []
    return " ".join([evaluation, *said])
