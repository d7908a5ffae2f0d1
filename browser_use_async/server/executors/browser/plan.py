"""From a task's text to what the browser does: the reader's plan, or instructions one by one."""

from collections.abc import Collection, Mapping, Sequence

import attrs

from browser_use_async.server.executors.browser.actions import (
    Action,
    Click,
    Download,
    Extract,
    PlannedAction,
    TaskPlan,
)
from browser_use_async.server.executors.browser.sentence import Sentence, cut
from browser_use_async.server.executors.browser.vocabulary import (
    UNDERSTOOD,
    instruction,
    is_instruction,
)
from browser_use_async.server.executors.instructions.grammar import without
from browser_use_async.server.executors.reader.output_file import saving
from browser_use_async.server.executors.reader.plan import (
    FollowLink,
    OpenAddress,
    OpenFile,
    PlanRefusedError,
    asks,
    beyond_reading,
    read_plan,
    refuse_long,
    refuse_unnamed_file,
    understood_parts,
)
from browser_use_async.server.html.addresses import find_addresses


@attrs.frozen
class _Told:
    sentence: Sentence
    action: Action | None


def read_browser_plan(
    task: str,
    files: Collection[str] = (),
    secrets: Mapping[str, str] | None = None,
    *,
    structured: bool = False,
) -> TaskPlan:
    """The plan that a task's text makes.

    A text that only opens pages, follows links and asks is understood as the reader understands
    it. A text with an instruction that only a browser can follow is taken word for word.
    """
    refuse_long(task)
    told = [_Told(each, instruction(each, secrets or {}, files)) for each in cut(task, files)]
    if any(_needs_browser(each) for each in told):
        return _word_for_word(told, structured=structured)
    blanked = " ".join(each.sentence.outline for each in told)
    beyond = beyond_reading(blanked)
    if beyond is not None:
        raise PlanRefusedError(
            f"The task asks to {beyond}, and this browser has no language model to find out how. "
            f"Say it step by step: {UNDERSTOOD}."
        )
    plan = read_plan(task, files, structured=structured)
    actions = tuple(PlannedAction(each.what, each.answers) for each in plan.actions)
    return TaskPlan(actions, plan.parts, plan.saving, plan.only_saving)


def _needs_browser(told: _Told) -> bool:
    # The others are in the reader's vocabulary too, which knows more ways to say them.
    known = OpenAddress | OpenFile | FollowLink | Click | Download | Extract
    return told.action is not None and not isinstance(told.action, known)


def _word_for_word(told: Sequence[_Told], *, structured: bool) -> TaskPlan:
    actions = [_understood_action(each) for each in told]
    if not isinstance(actions[0], OpenAddress | OpenFile):
        raise PlanRefusedError("The task does not begin with a page: open ADDRESS comes first.")
    if Extract() not in actions:
        actions.append(Extract())
    wishes = [each.sentence for each in told if _understood_action(each) == Extract()]
    rest = "\n".join(_without_addresses_and_file(each.text) for each in wishes)
    saved = next(filter(None, (saving(each.text) for each in wishes)), None)
    return TaskPlan(
        tuple(PlannedAction(action) for action in actions),
        parts=understood_parts(rest, structured=structured),
        saving=saved,
        only_saving=saved is not None and not asks(rest, for_words=True),
    )


def _without_addresses_and_file(text: str) -> str:
    """The words of a wish that say what the answer is to be."""
    saved = saving(text)
    spans = [(each.start, each.end) for each in find_addresses(text)]
    spans += [(saved.start, saved.end)] if saved is not None else []
    return without(text, spans, " ")


def _understood_action(told: _Told) -> Action:
    text = told.sentence.text
    refuse_unnamed_file(text)
    if told.action is not None and not (isinstance(told.action, Download) and saving(text)):
        return told.action
    if saving(text) or (asks(told.sentence.outline) and not is_instruction(told.sentence)):
        return Extract()
    raise PlanRefusedError(f"“{text}” is not understood. What is: {UNDERSTOOD}.")
