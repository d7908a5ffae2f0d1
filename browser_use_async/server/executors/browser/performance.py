"""Takes the steps of a task in a browser, planned from its text or recorded before, and answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any

import attrs

from browser_use_async.server import records
from browser_use_async.server.executors.answers.by_model import ModelReader
from browser_use_async.server.executors.answers.by_name import (
    ValueNotFoundError,
    put_field,
    read,
)
from browser_use_async.server.executors.answers.composition import compose, in_words
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.player import (
    Located,
    MisplacedError,
    ScriptPlayer,
    StepRefusedError,
)
from browser_use_async.server.executors.browser.run_recording import (
    RunRecording,
    outcome_in_words,
)
from browser_use_async.server.executors.browser.task_run import TaskRun
from browser_use_async.server.executors.instructions.actions import Part, Plan, goal_of
from browser_use_async.server.executors.model import NoModelError
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.executors.scripts.recorder import Snapshot, echo_problem
from browser_use_async.server.executors.scripts.script import (
    END,
    MOST_PLAYED,
    Effect,
    Script,
    ScriptStep,
    step_name,
)
from browser_use_async.server.html.page_tree import PageNode
from browser_use_async.server.html.visit import PageNotOpenedError

_MOST_CHARACTERS = 20_000_000  # of all pages from which one answer is read
_OTHER_SITE = (
    "The task ends here, because its secrets are for the site of the script. If the site has "
    "moved, delete the script, and the next task records it again."
)
Items = AsyncGenerator[records.Step | records.Finished | records.Failed, None]


@attrs.define(eq=False)
class Performance:
    """The steps and the answer of one task, with the pages that it has seen.

    The steps are those of a script, or those of a plan, which has no guards and may be recorded.
    """

    assignment: records.Assignment
    task_run: TaskRun
    context: TaskContext
    script: Script
    plan: Plan | None = None  # what the task asks for, if its steps are planned from its text
    model: ModelReader | None = None  # reads what has no name on the pages
    guards: bool = True  # off only to show that they are needed
    player: ScriptPlayer = attrs.field(init=False)
    recording: RunRecording | None = attrs.field(init=False, default=None)
    pages: dict[str, list[Snapshot]] = attrs.field(init=False, factory=dict)
    characters: int = attrs.field(init=False, default=0)  # of these pages

    def __attrs_post_init__(self) -> None:
        order = self.assignment.script
        if self.plan is not None and order is not None:
            tells = self.plan.parts
            self.recording = RunRecording(self.context.playwright_context, tells=tells)
        self.player = ScriptPlayer(
            self.context,
            self.task_run,
            self.script,
            {} if order is None else dict(order.inputs),
            recording=self.recording,
            guards=self.guards and self.plan is None,
        )

    async def items(self) -> Items:
        """Take the steps, and answer."""
        run = self.task_run
        try:
            self._check()
            async for step in self._steps():
                yield step
            goal = "Read the answer" if self.plan is None else "Compose the answer"
            await run.take_downloads()
            evaluation = self._after(await run.begin_step(goal))
            finished = await self._answer()
            outcome = await self._outcome(finished)
            said = "" if outcome is None else f" {self._in_words(outcome)}"
            yield await run.step(goal, evaluation + said)
            # Downloads stay unchanged; secrets are masked in the files that are written here.
            mask = SecretRedactor(self.assignment.secrets)
            written = {name: mask.content(content) for name, content in finished.files.items()}
            files = {**run.files, **written}
            cookies = await self.context.cookies()
            yield attrs.evolve(finished, files=files, cookies=cookies, script=outcome)
        except PageNotOpenedError as error:
            picture = await run.last_screenshot()
            yield records.Failed(error.reason, error.url, picture, script=self._played())
        except (CannotContinueError, NoModelError, ValueNotFoundError) as error:
            reason, outcome = self._refusal(error)
            url, picture = await run.url(), await run.last_screenshot()
            yield records.Failed(reason, url, picture, script=outcome)

    def _check(self) -> None:
        """Refuse inputs and secrets that are missing, before anything is done."""
        order = self.assignment.script
        for what, wanted, given in (
            ("input", self.script.inputs, {} if order is None else order.inputs),
            ("secret", self.script.secrets, self.assignment.secrets),
        ):
            missing = [each for each in wanted if each not in given]
            if missing:
                has = ", ".join(given) or "none"
                raise CannotContinueError(
                    f"It needs the {what} “{missing[0]}”, and the task has {has}"
                )
        if self.script.unplaced and self.model is None:
            fields = ", ".join(self.script.unplaced)
            raise CannotContinueError(f"Its answer needs a model for: {fields}")

    # --- steps --------------------------------------------------------------------------------

    async def _steps(self) -> AsyncGenerator[records.Step, None]:
        for number, step in enumerate(self.script.steps):
            name = step_name(number + 1)
            for again in range(MOST_PLAYED):
                try:
                    located = await self.player.locate(number, is_again=again > 0)
                    if located is None:
                        break
                    if name in self.script.shown:
                        self._keep_page(name, await self.player.snapshot())
                    async for taken in self._take(located):
                        yield taken
                except StepRefusedError as refusal:
                    yield await self._ask_person(number, refusal)
                    break
                if not step.repeats:
                    break
            else:
                raise StepRefusedError(f"Step {number + 1} goes on after {MOST_PLAYED} times")
            if step.answers:
                await self.task_run.read()

    def _keep_page(self, name: str, snapshot: Snapshot) -> None:
        self.pages.setdefault(name, []).append(snapshot)
        self.characters += len(json.dumps(snapshot.tree))
        if self.characters > _MOST_CHARACTERS:
            raise CannotContinueError("Its pages have more in them than can be read together.")

    async def _take(self, located: Located) -> AsyncGenerator[records.Step, None]:
        step, run = located.step, self.task_run
        goal = goal_of(step.action)
        evaluation = self._after(await run.begin_step(goal))
        if step.effect is Effect.CHANGES:
            # Reported before it is taken: if this process dies meanwhile, the step is known, and
            # nothing begins the task again.
            yield await run.step(f"{goal}, which changes something", evaluation)
            await self.player.take(located)
        else:
            await self.player.take(located)
            said = f"Script: {goal}" if self.plan is None else run.goal(goal)
            yield await run.step(said, evaluation)

    async def _ask_person(self, number: int, refusal: StepRefusedError) -> records.Step:
        """Have a person take a step that changes something, on a page that has changed."""
        step, order = self.player.step(number), self.assignment.script
        if step.effect is not Effect.CHANGES or self.player.is_taking:
            raise refusal
        self.player.played.needs_person = True
        if order is None or not order.is_attended:
            raise refusal
        evaluation = self._after(await self.task_run.begin_step(goal_of(step.action)))
        asked = f"{str(refusal).removesuffix('.')}. Do it by hand if it is right, then resume"
        taken = await self.task_run.step(asked, evaluation)
        return attrs.evolve(taken, asks_for="approval")

    def _after(self, evaluation: str) -> str:
        """The result of the previous step, with what was closed for it."""
        said, self.player.played.said = self.player.played.said, []
        return " ".join([evaluation, *said])

    # --- answer -------------------------------------------------------------------------------

    async def _answer(self) -> records.Finished:
        if self.plan is not None:
            schema = self.assignment.structured_output_json
            return await compose(self.task_run.answering, self.plan, schema)
        if not self.script.shown and not self.script.unplaced:
            parts = frozenset(map(Part, self.script.tells)) or frozenset({Part.TEXT})
            return records.Finished(in_words([await self.task_run.runner.read()], parts))
        answer = await self._read_or_ask()
        is_text = isinstance(answer, str)
        return records.Finished(answer if is_text else json.dumps(answer, ensure_ascii=False))

    async def _read_or_ask(self) -> Any:
        """The answer by the names of the pages; a model reads what has no name on them."""
        self.pages[END] = [await self.player.snapshot()]
        order = self.assignment.script
        inputs = {} if order is None else dict(order.inputs)
        answer: Any = {}
        if self.script.shown:
            schema, pages = self.assignment.structured_output_json, self.pages
            given = (self.script, schema, pages, inputs, self.guards)
            answer = await asyncio.to_thread(read_answer, *given)
        if self.script.unplaced:
            said = await self._ask()
            return said if not answer else _completed(answer, said, self.script.unplaced)
        return answer

    async def _ask(self) -> Any:
        assert self.model is not None
        self.player.played.model_calls += 1
        texts: dict[str, str] = {}
        for snapshot in (each for seen in self.pages.values() for each in seen):
            texts[snapshot.url] = " ".join(_texts(snapshot.tree))
        return await self.model.answer(texts)

    # --- what becomes of the script -----------------------------------------------------------

    async def _outcome(self, finished: records.Finished) -> records.ScriptOutcome | None:
        if self.recording is None:
            return self._played()
        await self.recording.note_end(await self.context.current())
        return await self.recording.outcome(self.assignment, finished.output)

    def _in_words(self, outcome: records.ScriptOutcome) -> str:
        if self.recording is not None:
            return outcome_in_words(outcome)
        played = self.player.played
        steps = f"{played.steps} step{'' if played.steps == 1 else 's'}"
        asked = f"{played.model_calls} question{'' if played.model_calls == 1 else 's'}"
        return (
            f"Played {steps} of version {outcome.version} of the script {outcome.name}, with "
            f"{asked} to a model."
        )

    def _refusal(self, error: Exception) -> tuple[str, records.ScriptOutcome | None]:
        """Why the task ends, and whether an agent may do it from its beginning."""
        order = self.assignment.script
        if self.plan is not None or order is None:
            return str(error), None
        said = str(error).removesuffix(".")
        reason = f"Version {order.version} of the script {self.script.name} does not fit. {said}."
        is_elsewhere = isinstance(error, MisplacedError) and error.is_elsewhere
        if keeps_secrets := is_elsewhere and bool(self.script.secrets):
            reason = f"{reason} {_OTHER_SITE}"
        return reason, self._played(may_go_on=not keeps_secrets)

    def _played(self, *, may_go_on: bool = False) -> records.ScriptOutcome | None:
        played, order = self.player.played, self.assignment.script
        if self.plan is not None or order is None:
            return None
        return records.ScriptOutcome(
            order.name,
            order.version,
            played=played.steps,
            model_calls=played.model_calls,
            may_go_on=may_go_on and not (played.has_changed or played.needs_person),
        )


def planned(plan: Plan) -> Script:
    """The steps of a plan, whose elements are found by the words of the task."""
    steps = (ScriptStep(each.action, answers=each.answers) for each in plan.actions)
    return Script("", tuple(steps))


def read_answer(
    script: Script,
    schema: str | None,
    seen: Mapping[str, Sequence[Snapshot]],
    inputs: Mapping[str, str],
    guards: bool,
) -> Any:
    """Read the answer of a script by the names of its pages.

    Raises:
        ValueNotFoundError: The pages do not have it, or more than can be compared.
    """
    pages = _roots(seen)
    roots = [root for name in script.shown for root in pages.get(name, ())]
    if any(each.is_cut for each in roots):
        raise ValueNotFoundError("the page has more in it than can be read")
    given = [*inputs.values()]
    answer = read(schema or "{}", roots, script.spelling, but=script.unplaced, inputs=given)
    if guards and (problem := echo_problem(script, answer, inputs)):
        raise ValueNotFoundError(problem)
    return answer


def _roots(seen: Mapping[str, Sequence[Snapshot]]) -> dict[str, list[PageNode]]:
    """The trees of pages. The last page of a repetition is also the page after it."""
    before: list[Any] = []
    roots: dict[str, list[PageNode]] = {}
    for name, snapshots in seen.items():
        roots[name] = [PageNode.of(each.tree) for each in snapshots if each.tree not in before]
        before = [each.tree for each in snapshots[-1:]]
    return roots


def _completed(answer: Any, said: Any, fields: Sequence[str]) -> Any:
    """An answer, with the fields that a model has read."""
    for field in fields:
        value = said
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        put_field(answer, field, value)
    return answer


def _texts(tree: list[Any]) -> Iterator[str]:
    for each in tree[2]:
        if isinstance(each, str):
            yield each
        elif not each[0].startswith("@"):
            yield from _texts(each)
