"""The run of one task in a browser: its steps, and then its answer."""

from collections.abc import AsyncGenerator, Collection

import attrs

from browser_use_async.server.executors.answers.by_model import ModelReader
from browser_use_async.server.executors.answers.by_name import ValueNotFoundError
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
from browser_use_async.server.executors.scripts.answer import ScriptAnswer
from browser_use_async.server.executors.scripts.script import (
    MOST_PLAYED,
    Effect,
    Script,
    ScriptStep,
    step_name,
)
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.records import Assignment, Failed, Finished, ScriptOutcome, Step

_OTHER_SITE = (
    "The task ends here, because its secrets are for the site of the script. If the site has "
    "moved, delete the script, and the next task records it again."
)


class Performance:
    """Has a player take the steps of one task, and gives its answer.

    The steps are those of a script, each with its guards; or they are planned from the words of
    the task. These have no guards, and are recorded if the task names a script.
    """

    def __init__(
        self,
        assignment: Assignment,
        script: Script,
        *,
        task_run: TaskRun,
        context: TaskContext,
        plan: Plan | None = None,
        model: ModelReader | None = None,
        guards: bool = True,
    ) -> None:
        """Prepare the run.

        Args:
            assignment: The task.
            script: Its steps.
            task_run: What carries out its actions.
            context: Its pages.
            plan: What the words of the task ask for; None if a script is played.
            model: Reads what has no name on the pages of a script.
            guards: Off only to show that they are needed.
        """
        self._assignment = assignment
        self._script = script
        self._run = task_run
        self._context = context
        self._plan = plan
        order = assignment.script
        self._inputs = {} if order is None else dict(order.inputs)
        self._recording: RunRecording | None = None
        if plan is not None and order is not None:
            self._recording = RunRecording(context.playwright_context, tells=plan.parts)
        is_guarded = guards and plan is None
        self._player = ScriptPlayer(
            context, task_run, script, self._inputs, recording=self._recording, guards=is_guarded
        )
        self._script_answer = ScriptAnswer(script, assignment, model, guards)

    async def items(self) -> AsyncGenerator[Step | Finished | Failed, None]:
        """Take the steps, and answer."""
        try:
            self._require_given("input", self._script.inputs, self._inputs)
            self._require_given("secret", self._script.secrets, self._assignment.secrets)
            self._script_answer.require_model()
            async for taken in self._steps():
                yield taken
            async for item in self._end():
                yield item
        except PageNotOpenedError as error:
            picture = await self._run.last_screenshot()
            yield Failed(error.reason, error.url, picture, script=self._outcome_of_play())
        except (CannotContinueError, NoModelError, ValueNotFoundError) as error:
            reason, outcome = self._refusal(error)
            url, picture = await self._run.url(), await self._run.last_screenshot()
            yield Failed(reason, url, picture, script=outcome)

    def _require_given(self, what: str, names: Collection[str], given: Collection[str]) -> None:
        """Refuse a script that needs more than the task has, before anything is done."""
        for name in names:
            if name not in given:
                raise CannotContinueError(
                    f"It needs the {what} “{name}”, and the task has {', '.join(given) or 'none'}"
                )

    # --- steps --------------------------------------------------------------------------------

    async def _steps(self) -> AsyncGenerator[Step, None]:
        for number, step in enumerate(self._script.steps):
            try:
                async for taken in self._times(number, step):
                    yield taken
            except StepRefusedError as refusal:
                yield await self._left_to_person(number, refusal)
            if step.answers:
                await self._run.read()

    async def _times(self, number: int, step: ScriptStep) -> AsyncGenerator[Step, None]:
        """Take a step, and one that repeats until there is nothing to take it with."""
        for time in range(MOST_PLAYED if step.repeats else 1):
            located = await self._player.locate(number, is_again=time > 0)
            if located is None:
                return
            if (page := step_name(number + 1)) in self._script.shown:
                self._script_answer.keep(page, await self._player.snapshot())
            async for taken in self._take(located):
                yield taken
        if step.repeats:
            raise CannotContinueError(f"Step {number + 1} goes on after {MOST_PLAYED} times")

    async def _take(self, located: Located) -> AsyncGenerator[Step, None]:
        goal = goal_of(located.step.action)
        evaluation = await self._begin(goal)
        if located.step.effect is Effect.CHANGES:
            # Reported before it is taken: if this process dies meanwhile, the step is known, and
            # nothing begins the task again.
            yield await self._run.step(f"{goal}, which changes something", evaluation)
            await self._player.take(located)
            return
        await self._player.take(located)
        said = self._run.goal(goal) if self._plan is not None else f"Script: {goal}"
        yield await self._run.step(said, evaluation)

    async def _begin(self, goal: str) -> str:
        """Begin a step; returns what came of the one before, with what was closed for it."""
        evaluation = await self._run.begin_step(goal)
        return " ".join([evaluation, *self._player.take_remarks()])

    async def _left_to_person(self, number: int, refusal: StepRefusedError) -> Step:
        """The step that asks a person, if the refused one changes something.

        Raises:
            StepRefusedError: It changes nothing, or it was begun, or nobody is there to ask.
        """
        step, order = self._player.step(number), self._assignment.script
        if step.effect is not Effect.CHANGES or self._player.is_taking:
            raise refusal
        self._player.played.needs_person = True
        if order is None or not order.is_attended:
            raise refusal
        evaluation = await self._begin(goal_of(step.action))
        reason = str(refusal).removesuffix(".")
        asked = f"{reason}. Do it by hand if it is right, then resume"
        return attrs.evolve(await self._run.step(asked, evaluation), asks_for="approval")

    # --- end ----------------------------------------------------------------------------------

    async def _end(self) -> AsyncGenerator[Step | Finished, None]:
        await self._run.take_downloads()
        goal = "Compose the answer" if self._plan is not None else "Read the answer"
        evaluation = await self._begin(goal)
        finished = await self._answer()
        outcome, said = await self._outcome(finished)
        yield await self._run.step(goal, f"{evaluation} {said}".rstrip())
        # Downloads stay unchanged; secrets are masked in the files that are written here.
        mask = SecretRedactor(self._assignment.secrets)
        written = {name: mask.content(content) for name, content in finished.files.items()}
        yield attrs.evolve(
            finished,
            files={**self._run.files, **written},
            cookies=await self._context.cookies(),
            script=outcome,
        )

    async def _answer(self) -> Finished:
        if self._plan is not None:
            schema = self._assignment.structured_output_json
            return await compose(self._run.answering, self._plan, schema)
        if self._script_answer.is_text_of_page:
            parts = frozenset(map(Part, self._script.tells)) or frozenset({Part.TEXT})
            return Finished(in_words([await self._run.runner.read()], parts))
        return Finished(await self._script_answer.read(await self._player.snapshot()))

    async def _outcome(self, finished: Finished) -> tuple[ScriptOutcome | None, str]:
        """What became of the script, also as a sentence."""
        if self._recording is not None:
            await self._recording.note_end(await self._context.current())
            recorded = await self._recording.outcome(self._assignment, finished.output)
            return recorded, outcome_in_words(recorded)
        played = self._outcome_of_play()
        if played is None:
            return None, ""
        return played, (
            f"Played {_counted(played.played, 'step')} of version {played.version} of the script "
            f"{played.name}, with {_counted(played.model_calls, 'question')} to a model."
        )

    def _refusal(self, error: Exception) -> tuple[str, ScriptOutcome | None]:
        """Why the task ends, and whether an agent may do it from its beginning."""
        order = self._assignment.script
        if self._plan is not None or order is None:
            return str(error), None
        name, said = self._script.name, str(error).removesuffix(".")
        reason = f"Version {order.version} of the script {name} does not fit. {said}."
        is_elsewhere = isinstance(error, MisplacedError) and error.is_elsewhere
        if is_elsewhere and self._script.secrets:
            return f"{reason} {_OTHER_SITE}", self._outcome_of_play()
        return reason, self._outcome_of_play(may_go_on=True)

    def _outcome_of_play(self, *, may_go_on: bool = False) -> ScriptOutcome | None:
        """The outcome of a script that is played; of what has changed nothing, it may go on."""
        order, played = self._assignment.script, self._player.played
        if self._plan is not None or order is None:
            return None
        return ScriptOutcome(
            order.name,
            order.version,
            played=played.steps,
            model_calls=self._script_answer.questions,
            may_go_on=may_go_on and not (played.has_changed or played.needs_person),
        )


def planned(plan: Plan) -> Script:
    """A plan as a script, whose elements are found by the words of the task."""
    return Script("", tuple(ScriptStep(each.action, answers=each.answers) for each in plan.actions))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
