"""The output file that a task asks for: its name in the text, and what is written into it."""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import attrs

from browser_use_async.api.csv_cells import cell_of
from browser_use_async.server.executors.instructions.grammar import BLANK, Token, has_gap, tokenize
from browser_use_async.server.html.page import Page, Row, Table
from browser_use_async.server.html.words import word_set

_SAVES = frozenset("convert download export output put save store write".split())
_SAVES_AS = frozenset("as called file in into named to".split())
_FILE_WORDS = frozenset("a an called csv file json markdown named text the".split())
_ENDINGS = "csv|docx?|gif|html?|jpe?g|json|md|ods|pdf|png|tsv|txt|xlsx?|xml|ya?ml"
_FILE_NAME = re.compile(rf"\w[\w-]*(?:\.[\w-]+)*\.(?P<ending>{_ENDINGS})\b", re.IGNORECASE)
_FAR = 300  # characters between a verb and the name of its file
_SAVES_SOMETHING = frozenset("convert export save store write".split())
_UNSAVED_ENDINGS = frozenset("csv doc docx json md pdf tsv txt xls xlsx xml yaml yml".split())


@attrs.frozen
class Saving:
    """An output file that a task asks for."""

    start: int  # where the instruction begins in the text
    end: int
    what: str  # the words for what goes into the file
    name: str
    ending: str  # of the name, in lower case, without the dot


def saving(text: str) -> Saving | None:
    """The output file that a text asks for, such as `save the table as prices.csv`."""
    verb: Token | None = None
    named: Token | None = None  # the word behind which the name may stand, maybe after others
    for token in tokenize(text):
        if token.text in {".", "\n"} or (verb and token.start > verb.end + _FAR):
            verb = named = None
        if token.text in _SAVES:
            verb, named = token, None
        elif verb is None:
            continue
        elif named is not None and (match := _file_name(text, token)):
            what = text[verb.end : named.start].strip(f" {BLANK}")
            end = token.end if token.quoted else match.end()
            return Saving(verb.start, end, what, match[0], match["ending"].lower())
        elif named is None or token.text not in _FILE_WORDS | _SAVES_AS:
            named = token if token.text in _SAVES_AS else None
    return None


def _file_name(text: str, token: Token) -> re.Match[str] | None:
    if token.quoted:
        return _FILE_NAME.fullmatch(token.quoted)
    return _FILE_NAME.match(text, token.start)


def unnamed_file(text: str) -> str | None:
    """Words for an output file without a name that can be read, such as `as my results.csv`."""
    verb: Token | None = None
    tokens = tokenize(text, quotes=False)
    for place, token in enumerate(tokens):
        if token.text in _SAVES_SOMETHING:
            verb = token
        elif token.text == "\n" or (token.text == "." and has_gap(tokens, place + 1)):
            verb = None
        elif verb and token.text in _UNSAVED_ENDINGS and tokens[place - 1].text == ".":
            return " ".join(text[verb.start : token.end].split())
    return None


class NothingToExportError(Exception):
    """A page that has not what an output file needs. Its text is a sentence for a person."""


@attrs.frozen
class Exported:
    """An output file."""

    content: bytes = attrs.field(repr=False)  # its bytes, UTF-8
    summary: str  # what is in it, in words


def export(saving: Saving, pages: Sequence[Page], answer: str, *, structured: bool) -> Exported:
    """Write what a task wants to have in a file.

    Raises:
        NothingToExportError: A CSV file is wanted, and there is no table, list or the like.
    """
    if saving.ending == "csv":
        return _csv(saving, pages)
    if saving.ending == "json" and not structured:
        described = [_described(page) for page in pages]
        value = described[0] if len(described) == 1 else described
        answer = json.dumps(value, ensure_ascii=False, indent=2)
    named = " and ".join(page.title or page.url for page in pages)
    return Exported(f"{answer}\n".encode(), f"what was read from {named}")


def _csv(saving: Saving, pages: Sequence[Page]) -> Exported:
    table = _best_table(saving, pages)
    if table is None:
        urls = ", ".join(page.url for page in pages)
        raise NothingToExportError(f"{saving.name} needs a table, and there is none on {urls}.")
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    if table.headers:
        writer.writerow(map(cell_of, table.headers))
    writer.writerows(map(cell_of, row.cells) for row in table.rows)
    named = f" of {table.name}" if table.name else ""
    return Exported(lines.getvalue().encode(), f"{len(table.rows)} rows{named}")


def _best_table(saving: Saving, pages: Sequence[Page]) -> Table | None:
    """The table whose name and columns have most of the words; the largest of equals."""
    wanted = word_set(saving.what) | word_set(saving.name.rpartition(".")[0])
    tables = [table for page in pages for table in page.tables] or _made_tables(pages)

    def fit(table: Table) -> tuple[int, int]:
        known = word_set(" ".join((table.name, *table.headers)))
        return len(wanted & known), len(table.rows) * len(table.rows[0].cells)

    return max(tables, key=fit, default=None)


def _made_tables(pages: Sequence[Page]) -> list[Table]:
    """Definition lists and lists, for pages without a table."""
    labels = [(label.name, label.value) for page in pages for label in page.labels]
    lists = [one for page in pages for one in page.lists]
    made = [Table((), [Row((item,)) for item in one.items], one.name) for one in lists]
    if labels:
        made.insert(0, Table(("name", "value"), [Row(pair) for pair in labels]))
    return made


def _described(page: Page) -> dict[str, Any]:
    return {
        "url": page.url,
        "title": page.title,
        "description": page.description,
        "headings": [heading.text for heading in page.headings],
        "labels": {label.name: label.value for label in page.labels},
        "tables": [_records(table) for table in page.tables],
        "text": page.text,
    }


def _records(table: Table) -> list[Any]:
    if not table.headers:
        return [list(row.cells) for row in table.rows]
    return [dict(zip(table.headers, row.cells, strict=False)) for row in table.rows]
