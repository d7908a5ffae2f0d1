"""Makes a script from the notes of a run. No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

import attrs

from browser_use_async.server.executors.answers.by_name import fields_of, learn
from browser_use_async.server.executors.answers.spelling import Spelling
from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.scripts.addresses import (
    fits,
    origin_of,
    pattern_of,
    put_inputs_in_address,
    site_of,
)
from browser_use_async.server.executors.scripts.script import (
    END,
    MOST_STEPS,
    Description,
    Effect,
    Script,
    ScriptStep,
    can_sign_in,
    fill_in,
    map_texts,
    put_inputs,
    says_change,
    step_name,
)
from browser_use_async.server.html.page_tree import PageNode

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods of requests that change nothing."""

_MOST_GROUPS = 40  # of pages in which an answer is looked for
_ASKING = frozenset({"document", "xhr", "fetch"})
_NEXT = re.compile(r"\b(load more|more|next|older|show more|weiter)\b", re.IGNORECASE)


class NotRecordableError(Exception):
    """No script can be made of the run. The text is a clause for a person."""


@attrs.frozen
class Snapshot:
    """The visible content of a page."""

    url: str
    tree: list[Any] = attrs.field(repr=False)  # for `PageNode.of`
    kind: str = "text/html"  # its content type


@attrs.frozen
class Note:
    """One action of a run."""

    at: float  # the moment before, by the machine's monotonic clock
    before: Snapshot  # the page at that moment
    action: actions.Action | None = None  # None if the page was only read
    element: Description | None = None  # its element
    problem: str = ""  # why it cannot be played


@attrs.define
class SeenRequest:
    """A request that a page made in a run."""

    at: float
    method: str
    url: str
    kind: str  # as Playwright calls it
    body: str = attrs.field(default="", repr=False)  # its beginning
    has_ended: bool = True
    is_file: bool = False  # whether it became a download


@attrs.frozen
class SeenDialog:
    """A message box of a page in a run, which was answered with OK."""

    at: float
    kind: str  # as Playwright calls it
    text: str


@attrs.frozen
class Run:
    """The notes of a successful run."""

    notes: Sequence[Note]
    requests: Sequence[SeenRequest]
    end: Snapshot
    answer: Any  # as JSON
    inputs: Mapping[str, str] = attrs.field(factory=dict)
    secrets: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    # Whether an answer in words is a part of the page, and no sentence of a model
    is_page_text: bool = False
    dialogs: Sequence[SeenDialog] = ()
    schema: str | None = None  # of the answer, which is in words without one
    tells: Sequence[str] = ()  # the parts of the page that an answer in words has


def record(name: str, run: Run) -> Script:
    """The script of a run.

    Raises:
        NotRecordableError: Something that was done cannot be played.
    """
    problem = next((each.problem for each in run.notes if each.problem), "")
    if any(each.kind == "prompt" for each in run.dialogs):
        problem = problem or "a page asked for a text in a message box"
    if problem:
        raise NotRecordableError(problem)
    taken = [*_without_detours([each for each in run.notes if each.action is not None])]
    if not taken or not isinstance(taken[0].action, actions.OpenAddress):
        raise NotRecordableError("the run does not begin with a page that it opens")
    steps, kept = _steps(taken, run)
    if len(steps) > MOST_STEPS:
        raise NotRecordableError(f"the run has more than {MOST_STEPS} steps")
    if any(not _has_places(each) for each in steps):
        raise NotRecordableError("it used a page or a frame without an address of its own")
    shown, spelling, unplaced = learn_answer(run.schema, run.answer, _pages(run, kept), run.inputs)
    echoes = {
        field: f"{{{each}}}"
        for field, value in fields_of(run.answer)
        for each, said in run.inputs.items()
        if value == said
    }
    script = Script(
        name=name,
        steps=tuple(steps),
        inputs=tuple(sorted(run.inputs)),
        secrets=tuple(sorted(run.secrets)),
        shown=shown,
        spelling=spelling,
        tells=tuple(sorted(run.tells)) if run.is_page_text else (),
        echoes=echoes,
        unplaced=() if run.is_page_text else tuple(unplaced),
    )
    return without_secrets(script, run.secrets)


def without_secrets(script: Script, secrets: Mapping[str, str]) -> Script:
    """The script without the values of secrets, also where a page repeats them."""
    values = sorted(filter(None, secrets.values()), key=len, reverse=True)

    def change(text: str) -> str:
        for value in values:
            text = text.replace(value, "***")
        return text

    return map_texts(script, change)


# --- steps ---------------------------------------------------------------------------------------


def _without_detours(notes: Sequence[Note]) -> Iterator[Note]:
    """Leave out a link whose page was left again at once."""
    skipped = False
    for note, following in zip(notes, [*notes[1:], None], strict=False):
        if skipped:
            skipped = False
            continue
        is_detour = following is not None and isinstance(following.action, actions.GoBack)
        skipped = is_detour and isinstance(note.action, actions.Click)
        if not skipped:
            yield note


def _steps(taken: Sequence[Note], run: Run) -> tuple[list[ScriptStep], list[list[Note]]]:
    """The steps, and the notes of each: several for a step that repeats."""
    asked = set[str]()  # the questions that pages ask when they are opened
    steps, kept = list[ScriptStep](), list[list[Note]]()
    ends = [*(each.at for each in taken[1:]), float("inf")]
    pages = [*(each.before for each in taken[1:]), run.end]
    for note, until, after in zip(taken, ends, pages, strict=True):
        made = [each for each in run.requests if note.at <= each.at < until]
        step = attrs.evolve(
            _step(note, after, made, asked, run),
            confirms=tuple(
                _with_inputs(each.text, run.inputs)
                for each in run.dialogs
                if note.at <= each.at < until and each.kind == "confirm"
            ),
        )
        if _repeats(steps[-1] if steps else None, step):
            steps[-1] = attrs.evolve(steps[-1], repeats=True)
            kept[-1].append(note)
        else:
            steps.append(step)
            kept.append([note])
    return [*_signing_in(steps)], kept


def _has_places(step: ScriptStep) -> bool:
    """Whether the addresses of a step name the hosts to which it is bound."""
    frame = "" if step.element is None else step.element.frame
    return all(each.startswith("{") or origin_of(each) for each in (step.page, frame) if each)


def _step(
    note: Note, after: Snapshot, made: Sequence[SeenRequest], asked: set[str], run: Run
) -> ScriptStep:
    action, element, inputs = note.action, note.element, run.inputs
    assert action is not None
    site = site_of(after.url)
    asking = [each for each in made if each.kind in _ASKING]
    own = [each for each in asking if site_of(each.url) == site]
    # A form may lead from one site to another, or be in a frame of another one.
    sites = {site, site_of(note.before.url), site_of("" if element is None else element.frame)}
    before_is, after_is = (pattern_of(each.url, inputs.values()) for each in (note.before, after))
    is_open = isinstance(action, actions.OpenAddress)
    moves = after_is != before_is
    has_changed = after.tree != note.before.tree
    name = element.name if element is not None else ""
    sent = [each for each in asking if site_of(each.url) in sites and each.method not in SAFE]
    effect = _effect(action, name, sent, asked)
    if isinstance(action, actions.Click) and any(each.is_file for each in made):
        action = actions.Download(action.phrase)
    if isinstance(action, actions.Scroll) and own and has_changed:
        # An endless list is scrolled until nothing more comes.
        return ScriptStep(
            actions.Scroll("bottom"), page=before_is, effect=effect, redraws=True, repeats=True
        )
    return ScriptStep(
        action=_played(action, run),
        page="" if is_open else _page(before_is, element, inputs),
        element=None if element is None else _described(element, inputs),
        effect=effect,
        leads_to=after_is if moves and _leads(action, after_is, inputs) else "",
        causes=tuple(sorted({*_causes(own, is_open=is_open, inputs=inputs)})),
        redraws=bool(own) and not moves and has_changed,
        # A link to the next page is followed until there is none, even if it was followed only
        # once.
        repeats=isinstance(action, actions.Click)
        and bool(_NEXT.search(name))
        and not says_change(action, name),
    )


def _page(pattern: str, element: Description | None, inputs: Mapping[str, str]) -> str:
    """The page of a step. One that uses no element goes with an address that is an input."""
    named = [name for name, value in inputs.items() if fits(value, pattern)]
    return f"{{{named[0]}}}" if named and element is None else pattern


def _described(element: Description, inputs: Mapping[str, str]) -> Description:
    """An element with placeholders; its options do not depend on the chosen one."""
    frame = pattern_of(element.frame, inputs.values()) if element.frame else ""
    return attrs.evolve(put_inputs(element, inputs), options=element.options, frame=frame)


def _with_inputs(text: str, inputs: Mapping[str, str]) -> str:
    """The question of a page, with placeholders, also for a short input that is in it once."""
    for name, value in inputs.items():
        parts = re.split(rf"(?<!\w){re.escape(value)}(?!\w)", text) if value else []
        text = f"{{{name}}}".join(parts) if len(parts) == 2 else text
    return put_inputs(text, inputs)


def _played(action: actions.Action, run: Run) -> actions.Action:
    if isinstance(action, actions.OpenAddress):
        return actions.OpenAddress(put_inputs_in_address(action.url, run.inputs))
    if isinstance(action, actions.Fill) and not action.secret:
        typed = next((name for name, each in run.secrets.items() if each == action.value), "")
        if typed:
            return actions.Fill(put_inputs(action.field, run.inputs), secret=typed)
        value = put_inputs(action.value, run.inputs, shortest=1)
        return actions.Fill(put_inputs(action.field, run.inputs), value)
    return put_inputs(action, run.inputs)


def _leads(action: actions.Action, after: str, inputs: Mapping[str, str]) -> bool:
    """Whether the address after a step must be checked; an opened page may redirect."""
    if isinstance(action, actions.OpenAddress):
        return pattern_of(action.url, inputs.values()) != after
    return not isinstance(action, actions.TakePicture)


def _causes(
    own: Sequence[SeenRequest], *, is_open: bool, inputs: Mapping[str, str]
) -> Iterator[str]:
    """The requests that a step waits for; opening a page waits by itself."""
    for request in {each.url: each for each in own if each.has_ended and not each.is_file}.values():
        if not (is_open and request.kind == "document"):
            yield f"{request.method} {pattern_of(request.url, inputs.values())}"


def _effect(
    action: actions.Action, name: str, sent: Sequence[SeenRequest], asked: set[str]
) -> Effect:
    """The effect of a step, by its unsafe requests and by the words of its element."""
    if isinstance(action, actions.OpenAddress):
        # A request that a page makes when it is opened only reads, and so later, too.
        asked |= {f"{each.method} {pattern_of(each.url)}" for each in sent}
        return Effect.READS
    does = [
        each
        for each in sent
        if f"{each.method} {pattern_of(each.url)}" not in asked or "mutation" in each.body
    ]
    return Effect.CHANGES if does or says_change(action, name) else Effect.READS


def _repeats(before: ScriptStep | None, step: ScriptStep) -> bool:
    """Whether a step repeats the previous one."""
    if before is not None and isinstance(step.action, actions.Scroll):
        return step.repeats and step == before
    return (
        before is not None
        and isinstance(step.action, actions.Click)
        and step.effect is before.effect is Effect.READS
        and (step.action, step.page) == (before.action, before.page)
        and step.element is not None
        and before.element is not None
        and (step.element.role, step.element.name) == (before.element.role, before.element.name)
    )


def _signing_in(steps: Sequence[ScriptStep]) -> Iterator[ScriptStep]:
    """Mark the steps that send a password: they change nothing but the session."""
    if steps:
        yield steps[0]
    for before, step in pairwise(steps):
        signs_in = step.effect is Effect.CHANGES and can_sign_in(before, step)
        yield attrs.evolve(step, effect=Effect.SIGNS_IN) if signs_in else step


# --- the answer ----------------------------------------------------------------------------------


Pages = Mapping[str, Sequence[PageNode]]
"""The pages of a run by the step before which they were seen, several for a step that repeats."""


def _pages(run: Run, kept: Sequence[Sequence[Note]]) -> Pages:
    pages: dict[str, list[PageNode]] = {
        step_name(number): [PageNode.of(note.before.tree) for note in notes]
        for number, notes in enumerate(kept, 1)
        if number > 1
    }
    return {**pages, END: [PageNode.of(run.end.tree)]}


def learn_answer(
    schema: str | None, answer: Any, pages: Pages, inputs: Mapping[str, str]
) -> tuple[tuple[str, ...], Spelling, list[str]]:
    """The pages that have most of an answer by its names, and the fields that need the model."""
    fields = [field for field, _ in fields_of(answer)]
    best: tuple[tuple[str, ...], Spelling, list[str]] = ((), Spelling(), fields)
    for shown in islice(_groups(pages), _MOST_GROUPS) if schema is not None else ():
        roots = [root for name in shown for root in pages[name]]
        spelling, unplaced = learn(schema or "", answer, roots, [*inputs.values()])
        if len(unplaced) < len(best[2]):
            best = shown, spelling, unplaced
        if not unplaced:
            break
    return best


def _groups(pages: Pages) -> Iterator[tuple[str, ...]]:
    """Pages that may have an answer together: those of one step, or with those of a later one."""
    names = [*pages]
    for place in reversed(range(len(names))):
        later = names[place + 1 :]
        yield (names[place],)
        yield from ((names[place], each) for each in dict.fromkeys((*later[:1], *later[-1:])))


def echo_problem(script: Script, answer: Any, inputs: Mapping[str, str]) -> str:
    """The parts of an answer that do not fit the request; empty if all fit."""
    said = dict(fields_of(answer))
    for field, template in script.echoes.items():
        wanted = fill_in(template, inputs)
        if said.get(field) != wanted:
            return (
                f"{field or 'the answer'} is “{said.get(field, '')}”, and “{wanted}” was asked for"
            )
    return ""
