"""Output files: tables as CSV, pages as JSON, text and Markdown."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import attrs

from browser_use_async.api.csv_cells import cell_of
from browser_use_async.server.executors.reader.plan import Saving
from browser_use_async.server.html.page import Page, Row, Table
from browser_use_async.server.html.words import word_set


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
