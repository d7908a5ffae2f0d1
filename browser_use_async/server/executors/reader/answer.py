"""The answer to a task, from the pages that were read."""

import json
from collections.abc import Sequence
from typing import Protocol

from browser_use_async.server.executors.protocol import Finished
from browser_use_async.server.executors.reader.extraction import NotReadableError, fill
from browser_use_async.server.executors.reader.facts import MAX_TEXT, PageFacts
from browser_use_async.server.executors.reader.output_file import Saving, export
from browser_use_async.server.executors.reader.plan import Part
from browser_use_async.server.executors.reader.schema import Schema
from browser_use_async.server.html.page import Page, Table, shorten
from browser_use_async.server.worker import WorkRefusedError, in_worker


class Wanted(Protocol):
    """What a plan wants to know of its pages."""

    @property
    def parts(self) -> frozenset[Part]:
        """What of the pages an answer in words consists of."""
        ...

    @property
    def saving(self) -> Saving | None:
        """The output file, if one is asked for."""
        ...

    @property
    def only_saving(self) -> bool:
        """Whether nothing is asked for beside the output file."""
        ...


class NoAnswerError(Exception):
    """Pages that do not hold what is asked for. Its text is a sentence for a person."""


def in_words(pages: Sequence[Page], parts: frozenset[Part]) -> str:
    """The parts of pages that are asked for, a section for each page when there are several.

    Raises:
        NoAnswerError: A page does not have what is asked for.
    """
    if parts == frozenset({Part.TITLE}):
        titles = [(_part(page, Part.TITLE, MAX_TEXT), page.url) for page in pages]
        several = len(pages) > 1
        return "\n".join(f"{title} ({url})" if several else title for title, url in titles)
    limit = MAX_TEXT // len(pages)
    several = len(pages) > 1
    return "\n\n---\n\n".join(_section(page, parts, limit, several=several) for page in pages)


def refuse_cut(pages: Sequence[Page]) -> None:
    """Refuse pages of which only the beginning was read, where all of their data is wanted.

    Raises:
        NoAnswerError: One of them was too long.
    """
    for page in pages:
        if page.cut:
            raise NoAnswerError(f"{page.url} is too long: only its beginning could be read.")


def structured(pages: Sequence[Page], schema: Schema) -> str:
    """The JSON that a schema asks for.

    Raises:
        NoAnswerError: A required field cannot be read.
        SchemaRefusedError: The schema cannot be followed.
    """
    try:
        return json.dumps(fill(schema, PageFacts(pages)), ensure_ascii=False)
    except NotReadableError as error:
        urls = ", ".join(page.url for page in pages)
        what = f"The field {error.path}" if error.path else "What structured_output_json asks for"
        raise NoAnswerError(f"{what} could not be found on {urls}.") from error


async def answer(
    pages: Sequence[Page], wanted: Wanted, structured_output_json: str | None
) -> Finished:
    """The answer to a task, made in a worker, and the output file if one is asked for.

    Raises:
        NoAnswerError: The pages do not hold what is asked for, or finding it takes too long.
        NothingToExportError: The output file needs a table, and there is none.
        SchemaRefusedError: The schema cannot be followed.
    """
    try:
        return await in_worker(answered, pages, wanted, structured_output_json)
    except WorkRefusedError as error:
        raise NoAnswerError(f"Finding the answer in what was read {error}.") from error


def answered(pages: Sequence[Page], wanted: Wanted, structured_output_json: str | None) -> Finished:
    """The same at once, and without a limit."""
    text = structured_output_json
    schema = Schema(text) if text is not None else None
    if schema is not None or wanted.saving is not None:
        refuse_cut(pages)
    output = in_words(pages, wanted.parts) if schema is None else structured(pages, schema)
    if wanted.saving is None:
        return Finished(output)
    name = wanted.saving.name
    exported = export(wanted.saving, pages, output, structured=schema is not None)
    if schema is None:
        saved = f"Saved {name}: {exported.summary}."
        output = saved if wanted.only_saving else f"{output}\n\n{saved}"
    return Finished(output, files={name: exported.content})


def _section(page: Page, parts: frozenset[Part], limit: int, *, several: bool) -> str:
    lines = [page.title or page.url, page.url] if several else []
    if parts == frozenset({Part.TEXT}):
        lines = lines or [page.title or page.url]
        lines += ["", _part(page, Part.TEXT, limit)] if page.text or not page.title else []
    elif len(parts) == 1:
        lines += ["", _part(page, next(iter(parts)), limit)]
    else:
        for part in (each for each in Part if each in parts):
            text = _part(page, part, limit)
            lines += (
                [f"{part.capitalize()}:", text]
                if "\n" in text
                else [f"{part.capitalize()}: {text}"]
            )
    tail = "\n[... the page is longer than a reader takes in]" if page.cut else ""
    return "\n".join(lines).strip() + tail


def _part(page: Page, part: Part, limit: int) -> str:
    match part:
        case Part.TITLE:
            text = page.title
        case Part.DESCRIPTION:
            text = page.description
        case Part.HEADINGS:
            text = "\n".join(each.text for each in page.headings)
        case Part.LINKS:
            text = "\n".join(f"{each.text or each.hint}: {each.url}" for each in page.links)
        case Part.TABLES:
            text = "\n\n".join(map(_table_text, page.tables))
        case Part.TEXT:
            text = page.text
    if not text:
        nothing = "nothing to read: neither a title nor text" if part is Part.TEXT else f"no {part}"
        raise NoAnswerError(f"{page.url} has {nothing}.")
    return shorten(text, limit)


def _table_text(table: Table) -> str:
    rows = [table.headers, *(row.cells for row in table.rows)]
    lines = [" | ".join(cells) for cells in rows if cells]
    return "\n".join([table.name, *lines] if table.name else lines)
