"""The answer to a task from its pages, and the requested output file."""

import asyncio
import csv
import io
import json
from collections.abc import Sequence

import attrs

from browser_use_async.server.executors.answers.by_name import ValueNotFoundError, read
from browser_use_async.server.executors.answers.cells import cell_of
from browser_use_async.server.executors.answers.spelling import Spelling
from browser_use_async.server.executors.instructions.actions import Part, Plan, Saving
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.html.page import Page, Row, Table, shorten
from browser_use_async.server.html.words import word_set
from browser_use_async.server.records import Finished

MAX_TEXT = 20_000
"""The maximum length of the text of pages in an answer, in characters."""


def in_words(pages: Sequence[Page], parts: frozenset[Part]) -> str:
    """Return the requested parts of pages, with a section for each of several pages."""
    several = len(pages) > 1
    if parts == frozenset({Part.TITLE}):
        titles = [(_part(page, Part.TITLE, MAX_TEXT), page.url) for page in pages]
        return "\n".join(f"{title} ({url})" if several else title for title, url in titles)
    limit = MAX_TEXT // len(pages)
    return "\n\n---\n\n".join(_section(page, parts, limit, several=several) for page in pages)


def structured(pages: Sequence[Page], schema: str, rows: int | None = None) -> str:
    """Fill a schema from the names on pages, and return the JSON."""
    urls = ", ".join(page.url for page in pages)
    unread = [page for page in pages if page.root is None]
    if unread:
        raise CannotContinueError(f"{unread[0].url} has no values that can be read.")
    roots = [page.root for page in pages if page.root is not None]
    cut = [page for page in pages if page.cut or (page.root is not None and page.root.is_cut)]
    if cut and rows is None:  # else the end is not asked for
        raise CannotContinueError(f"{cut[0].url} is too long: only its beginning could be read.")
    try:
        return json.dumps(read(schema, roots, Spelling(), rows=rows), ensure_ascii=False)
    except ValueNotFoundError as error:
        raise CannotContinueError(f"{error}: {urls}.") from error


async def compose(pages: Sequence[Page], plan: Plan, schema: str | None) -> Finished:
    """The answer to a task, made in a thread, and the output file if one is asked for."""
    return await asyncio.to_thread(composed, pages, plan, schema)


def composed(pages: Sequence[Page], plan: Plan, schema: str | None) -> Finished:
    """The same in this thread."""
    if plan.rows is not None:
        pages = [_beginning(page, plan.rows) for page in pages if page.tables] or pages
    cut = [page.url for page in pages if page.cut]
    if cut and plan.saving is not None:  # all data is needed
        raise CannotContinueError(f"{cut[0]} is too long: only its beginning could be read.")
    output = in_words(pages, plan.parts) if schema is None else structured(pages, schema, plan.rows)
    if plan.saving is None:
        return Finished(output)
    content, summary = export(plan.saving, pages, output, structured=schema is not None)
    if schema is None:
        saved = f"Saved {plan.saving.name}: {summary}."
        output = saved if plan.only_saving else f"{output}\n\n{saved}"
    return Finished(output, files={plan.saving.name: content})


def _beginning(page: Page, count: int) -> Page:
    """A page whose tables have so many rows at most."""
    tables = [attrs.evolve(table, rows=table.rows[:count]) for table in page.tables]
    # The end, which may be missing, is not asked for.
    return attrs.evolve(page, tables=tables, cut=False)


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
            gap = "\n" if "\n" in text else " "
            lines.append(f"{part.capitalize()}:{gap}{text}")
    tail = "\n[... the page is longer than what is read of it]" if page.cut else ""
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
        raise CannotContinueError(f"{page.url} has {nothing}.")
    return shorten(text, limit)


def _table_text(table: Table) -> str:
    rows = [table.headers, *(row.cells for row in table.rows)]
    lines = [" | ".join(cells) for cells in rows if cells]
    return "\n".join([table.name, *lines] if table.name else lines)


# --- output files ---------------------------------------------------------------------------


def export(
    saving: Saving, pages: Sequence[Page], answer: str, *, structured: bool
) -> tuple[bytes, str]:
    """The content of an output file, and a summary of it in words."""
    if saving.ending == "csv":
        return _csv(saving, pages)
    if saving.ending == "json" and not structured:
        raise CannotContinueError(
            f"{saving.name} needs structured_output_json, which says what goes into it."
        )
    named = " and ".join(page.title or page.url for page in pages)
    return f"{answer}\n".encode(), f"what was read from {named}"


def _csv(saving: Saving, pages: Sequence[Page]) -> tuple[bytes, str]:
    table = _table(saving, pages)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    if table.headers:
        writer.writerow(map(cell_of, table.headers))
    writer.writerows(map(cell_of, row.cells) for row in table.rows)
    named = f" of {table.name}" if table.name else ""
    return lines.getvalue().encode(), f"{len(table.rows)} rows{named}"


def _table(saving: Saving, pages: Sequence[Page]) -> Table:
    """Find the table by the words of the task or of the file's name, or the only one."""
    tables = [table for page in pages for table in page.tables]
    labels = [Row((label.name, label.value)) for page in pages for label in page.labels]
    if not tables and labels:
        tables = [Table(("name", "value"), labels)]
    wanted = word_set(saving.what) | word_set(saving.name.rpartition(".")[0])
    counts = [len(wanted & word_set(" ".join((each.name, *each.headers)))) for each in tables]
    best = [each for each, count in zip(tables, counts, strict=True) if count == max(counts)]
    urls = ", ".join(page.url for page in pages)
    if not best:
        raise CannotContinueError(f"{saving.name} needs a table, and there is none on {urls}.")
    if len(best) > 1:
        names = ", ".join(each.name or " | ".join(each.headers) for each in best)
        raise CannotContinueError(
            f"{urls} has {len(best)} tables that may be meant: {names}. Name one: save the NAME "
            f"table as {saving.name}."
        )
    return best[0]
