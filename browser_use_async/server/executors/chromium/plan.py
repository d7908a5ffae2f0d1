"""From a task's text to what the browser does: the reader's plan, or instructions one by one."""

from collections.abc import Collection, Mapping, Sequence

import attrs

from browser_use_async.server.executors.chromium.deeds import (
    BrowserAction,
    BrowserPlan,
    Click,
    Deed,
    Download,
    Extract,
)
from browser_use_async.server.executors.chromium.sentences import Sentence, cut
from browser_use_async.server.executors.chromium.vocabulary import (
    UNDERSTOOD,
    instruction,
    is_instruction,
)
from browser_use_async.server.executors.reader.grammar import without
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
    deed: Deed | None


def read_browser_plan(
    task: str,
    files: Collection[str] = (),
    secrets: Mapping[str, str] | None = None,
    *,
    structured: bool = False,
) -> BrowserPlan:
    """The plan that a task's text makes.

    A text that only opens pages, follows links and asks is understood as the reader understands
    it. A text with an instruction that only a browser can follow is taken word for word.

    Args:
        task: The text.
        files: The names of the files that came with the task.
        secrets: The task's secrets by name.
        structured: Whether a schema says what the answer is.

    Raises:
        PlanRefusedError: Something in the text is not understood.
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
    actions = tuple(BrowserAction(each.what, each.answers) for each in plan.actions)
    return BrowserPlan(actions, plan.parts, plan.saving, plan.only_saving)


def _needs_browser(told: _Told) -> bool:
    # The others are in the reader's vocabulary too, which knows more ways to say them.
    known = OpenAddress | OpenFile | FollowLink | Click | Download | Extract
    return told.deed is not None and not isinstance(told.deed, known)


def _word_for_word(told: Sequence[_Told], *, structured: bool) -> BrowserPlan:
    deeds = [_deed(each) for each in told]
    if not isinstance(deeds[0], OpenAddress | OpenFile):
        raise PlanRefusedError("The task does not begin with a page: open ADDRESS comes first.")
    if Extract() not in deeds:
        deeds.append(Extract())
    wishes = [each.sentence for each in told if _deed(each) == Extract()]
    rest = "\n".join(_without_addresses_and_file(each.text) for each in wishes)
    saved = next(filter(None, (saving(each.text) for each in wishes)), None)
    return BrowserPlan(
        tuple(BrowserAction(deed) for deed in deeds),
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


def _deed(told: _Told) -> Deed:
    text = told.sentence.text
    refuse_unnamed_file(text)
    if told.deed is not None and not (isinstance(told.deed, Download) and saving(text)):
        return told.deed
    if saving(text) or (asks(told.sentence.outline) and not is_instruction(told.sentence)):
        return Extract()
    raise PlanRefusedError(f"“{text}” is not understood. What is: {UNDERSTOOD}.")
