"""From a task's text to a plan: what to open and to do, in which order, and what for."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import attrs

from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    Download,
    OpenAddress,
    OpenFile,
    Part,
    Plan,
    PlannedAction,
    Saving,
    TakePicture,
)
from browser_use_async.server.executors.instructions.grammar import BLANK, Sentence, cut
from browser_use_async.server.executors.instructions.vocabulary import (
    ANSWERS,
    AROUND_FILES,
    ASKS,
    ASKS_FOR_WORDS,
    PARTS,
    UNDERSTOOD,
    UNDERSTOOD_BY_READER,
    adds_nothing,
    instruction,
    is_instruction,
    without_rows,
    words_of,
)
from browser_use_async.server.executors.protocol import Assignment, CannotContinueError
from browser_use_async.server.executors.schema import Schema
from browser_use_async.server.worker import PLANNING_SECONDS, WorkRefusedError, in_worker
from browser_use_async.server.worker_turns import JobKind

_MAX_TASK = 20_000  # characters
_READER_ACTIONS = (OpenAddress, OpenFile, Click, Download)  # what needs no browser
_SAVES = frozenset("convert download export output put save store write".split())
_SAVES_AS = frozenset("as called file in into named to".split())
_FILE_WORDS = frozenset("a an called csv file json markdown named text the".split())
_ENDINGS = "csv|docx?|gif|html?|jpe?g|json|md|ods|pdf|png|tsv|txt|xlsx?|xml|ya?ml"
_FILE_NAME = re.compile(rf"\w[\w-]*(?:\.[\w-]+)*\.(?P<ending>{_ENDINGS})\b", re.IGNORECASE)
_KIND_OF_FILE = re.compile(rf"\b({_ENDINGS}) files?\b")
_NAMES_FILE = re.compile(rf"\.(?:{_ENDINGS})\b", re.IGNORECASE)
_SAVED_ENDINGS = frozenset({"csv", "json", "md", "txt"})


async def understood(assignment: Assignment, *, in_browser: bool) -> Plan:
    """The plan of a task, made in a worker, as is everything that comes of the text of others."""
    # A plan needs the names of secrets only. Their values stay in this process.
    names, schema = list(assignment.secrets), assignment.structured_output_json
    files = list(assignment.files)
    given = assignment.task, files, names, schema, in_browser
    try:
        return await in_worker(read_task, *given, seconds=PLANNING_SECONDS, kind=JobKind.PLANNING)
    except WorkRefusedError as error:
        raise CannotContinueError(f"Understanding the task {error}.") from error


def read_task(
    task: str, files: Sequence[str], secrets: Sequence[str], schema: str | None, in_browser: bool
) -> Plan:
    """The plan of a task whose answer may have a schema."""
    if schema is not None:
        Schema(schema)
    return read_plan(task, files, secrets, structured=schema is not None, in_browser=in_browser)


def read_plan(
    task: str,
    files: Collection[str] = (),
    secrets: Collection[str] = (),
    *,
    structured: bool = False,
    in_browser: bool = False,
) -> Plan:
    """The plan that a text makes."""
    if len(task) > _MAX_TASK:
        raise CannotContinueError(
            f"The task has {len(task):,} characters. Without a language model a text of up to "
            f"{_MAX_TASK:,} is read: upload what is longer, and name the file in the task."
        )
    builder = _PlanBuilder(files, secrets, structured, in_browser)
    sentences = cut(task, files)
    if not any(token.target for each in sentences for token in each.tokens):
        if not files:
            raise CannotContinueError(
                "The task names no page. Its text needs an http or https address to begin with, or "
                "a file that comes with it."
            )
        builder.open([OpenFile(name) for name in _meant(task, files)])
    for sentence in sentences:
        builder.read(sentence)
    return builder.plan()


def _meant(task: str, files: Collection[str]) -> Collection[str]:
    """The files of the kinds that a text names, as "the CSV file" does; else all."""
    kinds = tuple(f".{kind}" for kind in _KIND_OF_FILE.findall(task.casefold()))
    return [name for name in files if name.casefold().endswith(kinds)] or files


@attrs.define
class _Planned:
    action: Action
    asked: bool = False  # whether something is asked about the page that it ends at


class _PlanBuilder:
    """Makes a plan of the sentences of a text, one after the other."""

    def __init__(
        self, files: Collection[str], secrets: Collection[str], structured: bool, in_browser: bool
    ) -> None:
        self._files = files
        self._secrets = secrets
        self._structured = structured
        self._in_browser = in_browser
        self._planned: list[_Planned] = []
        self._parts: set[Part] = set()
        self._saving: Saving | None = None
        self._has_asked = False  # whether the sentence before has, so that an enumeration goes on
        self._wants_words = False
        self._rows: int | None = None
        self._introduction: Sentence | None = None  # such as "process the data in the file"

    def open(self, targets: Collection[OpenAddress | OpenFile]) -> None:
        """Open what is named and was not opened before."""
        known = [each.action for each in self._planned]
        self._planned += [_Planned(each) for each in dict.fromkeys(targets) if each not in known]

    def read(self, sentence: Sentence) -> None:
        """Take in the next sentence: what is to be done, or what is asked for."""
        saved = _saving(sentence)
        actions = instruction(sentence, self._secrets, self._files)
        if saved is not None and not any(isinstance(each, TakePicture) for each in actions):
            actions = ()
        if not actions:
            self._read_wish(sentence, saved)
            return
        self._has_asked = False
        for action in actions:
            if not self._in_browser and not isinstance(action, _READER_ACTIONS):
                raise CannotContinueError(
                    f"“{sentence.text}” needs a browser. A rule-based reader only opens pages, "
                    "follows links and reads; it does not use forms."
                )
            self._planned.append(_Planned(action))

    def _read_wish(self, sentence: Sentence, saved: "_Saved | None") -> None:
        before = len(self._planned)
        self.open([each.target for each in sentence.tokens if each.target is not None])
        is_file = sentence.words[0] in _SAVES and _NAMES_FILE.search(_without_targets(sentence))
        if saved is None and is_file:
            raise CannotContinueError(
                f"“{sentence.text}” names no file that can be written: say save the page as "
                "NAME.csv, with a name without blanks."
            )
        said = self._read_rows(sentence, saved.around if saved is not None else words_of(sentence))
        all_said = {*words_of(sentence)}
        goes_on = self._has_asked and sentence.follows_comma
        asks = not ASKS.isdisjoint(all_said)
        self._has_asked = goes_on or asks
        may_say_all = self._structured and (goes_on or (asks and not is_instruction(sentence)))
        if not may_say_all and not adds_nothing(said):
            raise CannotContinueError(self._not_understood(sentence))
        if saved is not None:
            self._saving = self._saving or saved.file
        self._wants_words = self._wants_words or not ASKS_FOR_WORDS.isdisjoint(said)
        self._parts |= {Part(PARTS[word]) for word in said if word in PARTS}
        for about in self._planned[before:] or self._planned[-1:]:
            about.asked = self._has_asked or saved is not None or about.asked

    def _read_rows(self, sentence: Sentence, said: Iterable[str]) -> list[str]:
        """Note how many rows are asked for; gives the words that are left to be understood."""
        rows, left = without_rows([*said])
        if rows is not None:
            if self._rows not in {None, rows}:
                raise CannotContinueError(self._not_understood(sentence))
            self._rows = rows
            self._parts.add(Part.TABLES)
        if not self._files:
            return left
        if left[:1] == ["process"]:
            self._introduction, left = sentence, left[1:]
        return [word for word in left if word not in AROUND_FILES]

    def _not_understood(self, sentence: Sentence) -> str:
        known = UNDERSTOOD if self._in_browser else UNDERSTOOD_BY_READER
        return (
            f"“{sentence.text}” is not understood, since there is no language model here. "
            f"What is: {known}; {ANSWERS}."
        )

    def plan(self) -> Plan:
        """The plan that all sentences make."""
        if not self._planned or not isinstance(self._planned[0].action, OpenAddress | OpenFile):
            raise CannotContinueError(
                "The task does not begin with a page: open ADDRESS comes first."
            )
        if self._introduction is not None and self._rows is None:
            # By itself it says nothing of what shall come of the data.
            raise CannotContinueError(self._not_understood(self._introduction))
        saving = self._saving
        if saving is not None and saving.ending not in _SAVED_ENDINGS:
            raise CannotContinueError(
                f"{saving.name} cannot be written: .csv, .json, .md and .txt files are."
            )
        return Plan(
            actions=tuple(self._answering()),
            parts=frozenset(self._parts or {Part.TEXT}),
            saving=saving,
            only_saving=saving is not None and not self._wants_words,
            rows=self._rows,
        )

    def _answering(self) -> Iterator[PlannedAction]:
        """Each action, and whether the page at which it ends is part of the answer."""
        only_reads = all(isinstance(each.action, _READER_ACTIONS) for each in self._planned)
        if only_reads:
            # What is behind a link is the answer, whether it is shown or downloaded.
            for each in self._planned:
                if isinstance(each.action, Download):
                    each.action = Click(each.action.phrase)
            self._planned = [*_without_repeats(self._planned)]
        elif not any(each.asked for each in self._planned):
            self._planned[-1].asked = True
        for one, following in zip(self._planned, [*self._planned[1:], None], strict=True):
            # A page that is left by a link is only on the way.
            is_left = following is not None and isinstance(following.action, Click)
            yield PlannedAction(one.action, one.asked or (only_reads and not is_left))


def _without_repeats(planned: Sequence[_Planned]) -> Iterator[_Planned]:
    """An address that is named again is opened again only if a link of it is followed then."""
    known: set[Action] = set()
    for one, following in zip(planned, [*planned[1:], None], strict=True):
        goes_on = following is not None and isinstance(following.action, Click)
        if goes_on or isinstance(one.action, Click) or one.action not in known:
            yield one
        known.add(one.action)


# --- output files ---------------------------------------------------------------------------


@attrs.frozen
class _Saved:
    file: Saving
    around: tuple[str, ...]  # the words of the sentence that say something else


def _saving(sentence: Sentence) -> _Saved | None:
    """The output file that a sentence asks for, such as `save the table as prices.csv`."""
    words = sentence.words
    verb = next((place for place, word in enumerate(words) if word in _SAVES), len(words))
    place = verb + 1
    while place < len(words):
        named = place
        match = _file_name(sentence, place)
        while match is None and place < len(words) and words[place] in _FILE_WORDS | _SAVES_AS:
            place += 1
            match = _file_name(sentence, place)
        if _SAVES_AS.isdisjoint(words[named:place]):
            match = None
        if match is not None:
            end = sentence.tokens[place].end
            if words[place] != BLANK:
                end = sentence.tokens[place].start + match.end()
            rest = [each for each in sentence.tokens[place:] if each.start >= end]
            around = Sentence(sentence.source, [*sentence.tokens[:verb], *rest])
            what = " ".join(words_of(sentence.part(verb + 1, named)))
            saving = Saving(match[0], what, match["ending"].lower())
            return _Saved(saving, tuple(words_of(around)))
        place += place == named
    return None


def _file_name(sentence: Sentence, place: int) -> re.Match[str] | None:
    token = sentence.tokens[place] if place < len(sentence.tokens) else None
    if token is None or token.target is not None:
        return None  # a file that came with the task is no output file
    if token.text == BLANK:
        return _FILE_NAME.fullmatch(sentence.part(place, place + 1).plain)
    return _FILE_NAME.match(sentence.source[token.start : token.start + 200])


def _without_targets(sentence: Sentence) -> str:
    tokens = (each for each in sentence.tokens if each.target is None)
    return "".join(sentence.source[each.start : each.end] for each in tokens)
