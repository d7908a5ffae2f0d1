"""From a task's text to a plan: what to open and to do, in which order, and what for."""

import re
from collections.abc import Collection, Iterator, Sequence

import attrs

from browser_use_async.server.executors.instructions import clauses
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
    Target,
)
from browser_use_async.server.executors.instructions.clauses import QUOTATION, TARGET
from browser_use_async.server.executors.instructions.patterns import (
    START_PAGES,
    THE,
    Given,
    action_of,
    is_instruction,
    not_understood,
)
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema import Schema
from browser_use_async.server.records import Assignment

_MAX_TASK = 20_000  # characters
_PLAIN_ACTIONS = (OpenAddress, OpenFile, Click, Download)  # without a browser
_SAVED_ENDINGS = frozenset({"csv", "json", "md", "txt"})

_AND = "(?:,? and |, ?)"
_TARGETS = rf"{TARGET}(?:{_AND}{TARGET})*"
_GO = "(?:open|visit|load|go to|goto|navigate to|browse to|on|at|in|from)"
_OPEN = re.compile(
    rf"{_GO} (?:{THE}(?:web ?)?(?:page|site|file|address) )?{_TARGETS}", re.IGNORECASE
)
_OPEN_PAGE = re.compile(
    rf"{_GO} {THE}(?P<link>{QUOTATION}|[^\U000f0000-\U0010ffff]+?) page"
    rf" (?:(?P<of>of|on|from)|at|(?=\()) ?\(?(?P<target>{TARGET})\)?",
    re.IGNORECASE,
)
_SAVE = re.compile(r"(?:save|store|export|write|download|put|convert) (?P<said>.+)", re.IGNORECASE)
_FILE = re.compile(rf"(?:{clauses.NAME}|{QUOTATION})$")
# Words between what is saved and the file's name, which say that it is a file.
_AS = frozenset({"as", "called", "in", "into", "named", "to"})
_FILE_WORDS = _AS | frozenset("a an csv file json markdown text the".split())

_PARTS = {
    "title": Part.TITLE, "description": Part.DESCRIPTION, "heading": Part.HEADINGS,
    "headline": Part.HEADINGS, "link": Part.LINKS, "table": Part.TABLES, "text": Part.TEXT,
    "content": Part.TEXT,
}  # fmt: skip
_TELL = "answer|give|output|print|reply|report|return|say|show|tell|what is|what are|what's"
_READ = "collect|extract|find|get|list|note|read"
_NUMBERS: dict[str, int] = dict(
    zip("one two three four five six seven eight nine ten".split(), range(1, 11), strict=True)
)
_OF_PAGE = r"(?:,? (?:of|on|at|in|from) (?:(?:the|this|that|each) (?:page|table|file)s?|it|them))?"
_PART = rf"(?:all )?(?:(?:the|its?|their) )?(?:page )?(?:{'|'.join(_PARTS)})s?"
_WISH = re.compile(
    rf"(?:(?P<words>{_TELL})|{_READ})(?: me| us)?(?: just| only)?"
    rf"(?: (?P<parts>{_PART}(?:{_AND}{_PART})*)| (?:about )?(?:it|them)"
    r"| what it says| what is(?= in )"
    rf"| (?:the )?(?:first|top) (?P<rows>\d{{1,5}}|{'|'.join(_NUMBERS)}) rows?)?"
    rf"{_OF_PAGE}(?:(?: (?:of|on|at|in|from))? (?:the file )?{_TARGETS})?(?:,? please)?",
    re.IGNORECASE,
)
_KIND = "(?:(?:csv|json|text|attached) )?(?:files?|data)"
# References to the files of a task.
_FILES = re.compile(
    rf"(?:(?P<only>process)|read|open) {THE}(?:data (?:in|of) {THE})?"
    rf"(?:{_KIND}(?:{_AND}{THE}{_KIND})*|what is attached)",
    re.IGNORECASE,
)
_KIND_OF_FILE = re.compile(r"\b(csv|json) files?\b")
_ASKS = re.compile(
    rf"\b(?:{_TELL}|{_READ}|count|gather|how|save|summari[sz]e|what|when|where|which|who|write)\b",
    re.IGNORECASE,
)


def read_plan_of(assignment: Assignment, *, in_browser: bool) -> Plan:
    """Make the plan of a task.

    Raises:
        CannotContinueError: Its text is not understood.
    """
    # The values of secrets are not needed, only their names.
    names, schema = list(assignment.secrets), assignment.structured_output_json
    return read_plan(assignment.task, list(assignment.files), names, schema, in_browser)


def read_plan(
    task: str,
    files: Collection[str] = (),
    secrets: Collection[str] = (),
    schema: str | None = None,
    in_browser: bool = False,
) -> Plan:
    """The plan of a text whose answer may have a schema."""
    if schema is not None:
        Schema(schema)  # refused before the text is read
    if len(task) > _MAX_TASK:
        raise CannotContinueError(
            f"The task has {len(task):,} characters. Without a language model a text of up to "
            f"{_MAX_TASK:,} is read: upload what is longer, and name the file in the task."
        )
    text = clauses.MaskedText(task, files)
    planner = _Planner(text, Given(secrets, files), schema is not None, in_browser)
    if not text.targets:
        if not files:
            raise CannotContinueError(
                "The task names no page, and there is no language model here. Either give the "
                "server one, by --llm-base-url or OPENAI_BASE_URL, or say the task in steps: its "
                "text needs an http or https address to begin with, or a file that comes with it."
            )
        planner.open([OpenFile(name) for name in _meant(task, files)])
    for clause in text.clauses():
        planner.read(clause)
    return planner.plan()


def _meant(task: str, files: Collection[str]) -> Collection[str]:
    """The files of the kinds in a text, such as "the CSV file"; else all."""
    kinds = tuple(f".{kind}" for kind in _KIND_OF_FILE.findall(task.casefold()))
    return [name for name in files if name.casefold().endswith(kinds)] or files


@attrs.define(eq=False, repr=False)
class _Planner:
    """Makes a plan of clauses, one after the other."""

    _text: clauses.MaskedText
    _given: Given
    _structured: bool
    _in_browser: bool
    _planned: list[PlannedAction] = attrs.field(factory=list)
    _parts: set[Part] = attrs.field(factory=set)
    _saving: Saving | None = None
    _has_asked: bool = False  # whether the clause before has, so that an enumeration goes on
    _wants_words: bool = False
    _rows: int | None = None
    _introduction: str = ""  # such as "process the data in the file"

    def open(self, targets: Collection[Target]) -> list[PlannedAction]:
        """Open what was not opened before."""
        known = [each.action for each in self._planned]
        opened = [PlannedAction(each) for each in dict.fromkeys(targets) if each not in known]
        self._planned += opened
        return opened

    def read(self, clause: clauses.Clause) -> None:
        """Take in the next clause: an action or a question."""
        had_asked, self._has_asked = self._has_asked, False
        if self._read_saving(clause.text) or self._read_opening(clause.text):
            return
        if self._read_wish(clause.text):
            return
        goes_on = self._structured and had_asked and clause.follows_comma
        action = action_of(clause.text, self._text, self._given)
        if action is not None:
            self._add(action, clause.text)
        elif goes_on or (
            self._structured and _ASKS.search(clause.text) and not is_instruction(clause.text)
        ):
            self._ask(clause.text)
        else:
            raise self._not_understood(clause.text)

    def _add(self, action: Action, clause: str) -> None:
        if not self._in_browser and not isinstance(action, _PLAIN_ACTIONS):
            raise CannotContinueError(
                f"“{self._text.written(clause)}” needs a browser: install the extra `browser` and "
                "Chromium. Without them pages are opened and read, and links are followed."
            )
        self._planned.append(PlannedAction(action))

    def _read_saving(self, clause: str) -> bool:
        """Take in `save the table as prices.csv`."""
        match = _SAVE.fullmatch(clause)
        if match is None or "screenshot" in clause.casefold():
            return False
        file = _FILE.search(match["said"])
        name = self._text.plain(file[0]) if file is not None else ""
        words = match["said"].split()[:-1] if file is not None else []
        place = len(words)
        while place and words[place - 1].casefold() in _FILE_WORDS:
            place -= 1
        is_named = not _AS.isdisjoint(word.casefold() for word in words[place:])
        if not is_named or clauses.FILE_NAME.fullmatch(name) is None:
            said = self._text.plain(re.sub(TARGET, "", match["said"]))
            if clauses.FILE_NAME.search(said) is None:
                return False
            raise CannotContinueError(
                f"“{self._text.written(clause)}” names no file that can be written: say save the "
                "page as NAME.csv, with a name without blanks."
            )
        ending = name.rpartition(".")[2].lower()
        if ending not in _SAVED_ENDINGS:
            raise CannotContinueError(
                f"{name} cannot be written: .csv, .json, .md and .txt files are."
            )
        what = re.sub(TARGET, "", " ".join(words[:place])).strip()
        self._saving = self._saving or Saving(name, self._text.plain(what), ending)
        self._ask(clause, wants_words=False)
        return True

    def _read_opening(self, clause: str) -> bool:
        if _OPEN.fullmatch(clause) is not None:
            targets = self._text.targets_in(clause)
            self._planned += [PlannedAction(each) for each in dict.fromkeys(targets)]
            return True
        if (match := _OPEN_PAGE.fullmatch(clause)) is None:
            return False
        link = self._text.plain(match["link"])
        self._planned += [PlannedAction(each) for each in self._text.targets_in(match["target"])]
        if match["of"] and link.casefold() not in START_PAGES:
            self._planned.append(PlannedAction(Click(link)))
        return True

    def _read_wish(self, clause: str) -> bool:
        """Take in `tell me its title`, or a reference to files."""
        if self._given.files and (files := _FILES.fullmatch(clause)) is not None:
            self._introduction = clause if files["only"] else self._introduction
            return True
        match = _WISH.fullmatch(clause)
        if match is None:
            return False
        words = (match["parts"] or "").casefold().replace(",", " ").split()
        self._parts |= {
            _PARTS[name] for word in words if (name := word.removesuffix("s")) in _PARTS
        }
        if match["rows"]:
            rows = _NUMBERS.get(match["rows"].casefold()) or int(match["rows"])
            if not rows or self._rows not in {None, rows}:
                raise self._not_understood(clause)
            self._rows = rows
            self._parts.add(Part.TABLES)
        self._ask(clause, wants_words=match["words"] is not None)
        return True

    def _ask(self, clause: str, *, wants_words: bool = True) -> None:
        """Note that a clause asks about what it names, or about the page at hand."""
        self._has_asked = True
        self._wants_words = self._wants_words or wants_words
        for about in self.open(self._text.targets_in(clause)) or self._planned[-1:]:
            about.answers = True

    def _not_understood(self, clause: str) -> CannotContinueError:
        return not_understood(self._text.written(clause), in_browser=self._in_browser)

    def plan(self) -> Plan:
        """Make the plan of all clauses."""
        if not self._planned or not isinstance(self._planned[0].action, Target):
            raise CannotContinueError(
                "The task does not begin with a page: open ADDRESS comes first."
            )
        if self._introduction and self._rows is None:
            # By itself it says nothing of what shall come of the data.
            raise self._not_understood(self._introduction)
        self._mark_answers()
        return Plan(
            actions=tuple(self._planned),
            parts=frozenset(self._parts or {Part.TEXT}),
            saving=self._saving,
            only_saving=self._saving is not None and not self._wants_words,
            rows=self._rows,
        )

    def _mark_answers(self) -> None:
        """Mark the actions that end at a page of the answer."""
        only_reads = all(isinstance(each.action, _PLAIN_ACTIONS) for each in self._planned)
        if only_reads:
            # The target of a link is the answer, whether it is shown or downloaded.
            for each in self._planned:
                if isinstance(each.action, Download):
                    each.action = Click(each.action.phrase)
            self._planned = [*_without_repeats(self._planned)]
        elif not any(each.answers for each in self._planned):
            self._planned[-1].answers = True
        for one, following in zip(self._planned, [*self._planned[1:], None], strict=True):
            # A page that is left by a link is only on the way.
            is_left = following is not None and isinstance(following.action, Click)
            one.answers = one.answers or (only_reads and not is_left)


def _without_repeats(planned: Sequence[PlannedAction]) -> Iterator[PlannedAction]:
    """An address that is named again is opened again only if a link of it is followed then."""
    known: set[Action] = set()
    for one, following in zip(planned, [*planned[1:], None], strict=True):
        goes_on = following is not None and isinstance(following.action, Click)
        if goes_on or isinstance(one.action, Click) or one.action not in known:
            yield one
        known.add(one.action)
