"""The answer to a task, from the pages that were read."""

import json
from collections.abc import Sequence
from typing import Protocol

from browser_use_async.server.executors.protocol import Finished
from browser_use_async.server.executors.reader.export import export
from browser_use_async.server.executors.reader.facts import MAX_TEXT
from browser_use_async.server.executors.reader.filling import NotReadableError, fill
from browser_use_async.server.executors.reader.schema import Schema
from browser_use_async.server.executors.reader.sources import PagesSource
from browser_use_async.server.executors.reader.wishes import Saving
from browser_use_async.server.reading.page import Page, shorten


class Wanted(Protocol):
    """What a plan wants to know of its pages."""

    @property
    def only_titles(self) -> bool:
        """Whether nothing but titles is asked for."""
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


def in_words(pages: Sequence[Page], *, only_titles: bool) -> str:
    """The titles and the readable text of pages, a section for each when there are several.

    Args:
        pages: The pages.
        only_titles: Whether nothing but their titles is asked for.

    Raises:
        NoAnswerError: A page has no title though that was asked for, or nothing to read at all.
    """
    for page in pages:
        if not page.title and (only_titles or not page.text):
            missing = "no title" if only_titles else "nothing to read: neither a title nor text"
            raise NoAnswerError(f"{page.url} has {missing}.")
    if only_titles:
        several = len(pages) > 1
        return "\n".join(f"{page.title} ({page.url})" if several else page.title for page in pages)
    limit = MAX_TEXT // len(pages)
    return "\n\n---\n\n".join(_section(page, limit, several=len(pages) > 1) for page in pages)


def refuse_cut(pages: Sequence[Page]) -> None:
    """Refuse pages of which only the beginning was read, where all of their data is wanted.

    Args:
        pages: The pages.

    Raises:
        NoAnswerError: One of them was too long.
    """
    for page in pages:
        if page.cut:
            raise NoAnswerError(f"{page.url} is too long: only its beginning could be read.")


def structured(pages: Sequence[Page], schema: Schema) -> str:
    """The JSON that a schema asks for.

    Args:
        pages: The pages.
        schema: The schema.

    Raises:
        NoAnswerError: A required field cannot be read.
        SchemaRefusedError: The schema cannot be followed.
    """
    try:
        return json.dumps(fill(schema, PagesSource(pages)), ensure_ascii=False)
    except NotReadableError as error:
        urls = ", ".join(page.url for page in pages)
        what = f"The field {error.path}" if error.path else "What structured_output_json asks for"
        raise NoAnswerError(f"{what} could not be found on {urls}.") from error


def answered(pages: Sequence[Page], wanted: Wanted, schema: Schema | None) -> Finished:
    """The answer to a task, and the output file if one is asked for.

    Args:
        pages: The pages.
        wanted: What the task asks for.
        schema: The schema of a structured answer.

    Raises:
        NoAnswerError: The pages do not hold what is asked for.
        NothingToExportError: The output file needs a table, and there is none.
        SchemaRefusedError: The schema cannot be followed.
    """
    if schema is not None or wanted.saving is not None:
        refuse_cut(pages)
    if schema is None:
        output = in_words(pages, only_titles=wanted.only_titles)
    else:
        output = structured(pages, schema)
    if wanted.saving is None:
        return Finished(output)
    name = wanted.saving.name
    exported = export(wanted.saving, pages, output, structured=schema is not None)
    if schema is None:
        saved = f"Saved {name}: {exported.summary}."
        output = saved if wanted.only_saving else f"{output}\n\n{saved}"
    return Finished(output, files={name: exported.content})


def _section(page: Page, limit: int, *, several: bool) -> str:
    title = page.title or page.url
    head = f"{title}\n{page.url}" if several else title
    tail = "\n[... the page is longer than a reader takes in]" if page.cut else ""
    return f"{head}\n\n{shorten(page.text, limit)}{tail}".strip()
