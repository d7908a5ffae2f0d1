"""From an answer's bytes to a page, by their type: HTML, plain text, JSON and CSV."""

import csv
import io
import json
import mimetypes
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from yarl import URL

from browser_use_async.server.html.decoding import charset_of, decode_text, load_json
from browser_use_async.server.html.page import Page, Row, Table
from browser_use_async.server.worker import WorkRefusedError, in_worker

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_CSV = {"text/csv": ",", "application/csv": ",", "text/tab-separated-values": "\t"}
_MAX_LINES = 5000
_MAX_CELLS = 200_000
_MAX_DEPTH = 32


class UnreadableDocumentError(Exception):
    """A document that cannot be read. Its text is a clause for a person."""


async def read_document(url: str, content_type: str, body: bytes) -> Page:
    """The page that a document makes, read in another process with a limit of its own.

    Raises:
        UnreadableDocumentError: It is of a type without text, damaged, or takes too long to read.
    """
    try:
        return await in_worker(parse_document, url, content_type, body)
    except WorkRefusedError as error:
        raise UnreadableDocumentError(f"reading it {error}") from error


def parse_document(url: str, content_type: str, body: bytes) -> Page:
    """The same at once, and without a limit.

    Raises:
        UnreadableDocumentError: It is of a type without text, or damaged.
    """
    declared = charset_of(content_type)
    kind = content_type.partition(";")[0].strip().lower() or _guessed(body)
    if kind in _HTML:
        # Optional dependencies, and the worker that reads plain text does without.
        from browser_use_async.server.html.extraction import read_html  # noqa: PLC0415

        return read_html(url, decode_text(body, declared, markup=True))
    if not _is_textual(kind):
        raise UnreadableDocumentError(f"it is {kind}, and only text can be read")
    text = decode_text(body, declared)
    if "\x00" in text:
        raise UnreadableDocumentError("it is said to be text, and is not")
    if kind == "application/json" or kind.endswith("+json"):
        return _read_json(url, text)
    if kind in _CSV:
        return _read_csv(url, text, _CSV[kind])
    return Page(url=url, title=_file_name(url), text=_lines(text))


def type_of_file(name: str) -> str:
    """The content type that a file's name stands for, plain text if it tells nothing."""
    if name.lower().endswith((".md", ".log")):
        return "text/plain"
    return mimetypes.types_map.get(PurePosixPath(name.lower()).suffix, "text/plain")


def _guessed(body: bytes) -> str:
    return "text/html" if body.lstrip()[:1] == b"<" else "text/plain"


def _is_textual(kind: str) -> bool:
    if kind.startswith("text/") or kind in _CSV:
        return True
    return kind in {"application/json", "application/xml"} or kind.endswith(("+json", "+xml"))


def _file_name(url: str) -> str:
    return URL(url).name


def _lines(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(lines).strip()


def _read_json(url: str, text: str) -> Page:
    try:
        document = load_json(text)
    except ValueError:
        raise UnreadableDocumentError("it is said to be JSON, and is not") from None
    lines: list[str] = []
    for pointer, value in _leaves(document):
        lines.append(f"{pointer or '/'}: {value if isinstance(value, str) else json.dumps(value)}")
        if len(lines) == _MAX_LINES:
            lines.append("[... and more]")
            break
    return Page(url=url, title=_file_name(url), text="\n".join(lines), data=[document])


def _leaves(value: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The values in a document with their JSON pointers (RFC 6901), in order."""
    if depth == _MAX_DEPTH or not value or not isinstance(value, dict | list):
        yield pointer, value
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        name = str(key).replace("~", "~0").replace("/", "~1")
        yield from _leaves(inner, f"{pointer}/{name}", depth + 1)


def _read_csv(url: str, text: str, delimiter: str) -> Page:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[tuple[str, ...]] = []
    cells = 0
    try:
        for row in reader:
            cells += len(row)
            if cells > _MAX_CELLS:
                break
            if any(row):
                rows.append(tuple(cell.strip() for cell in row))
    except csv.Error:
        raise UnreadableDocumentError("it is said to be CSV, and is not") from None
    tables = [Table(rows[0], [Row(row) for row in rows[1:]], _file_name(url))] if rows[1:] else []
    shown = "\n".join(" | ".join(filter(None, row)) for row in rows)
    name = _file_name(url)
    return Page(url=url, title=name, text=shown, tables=tables, cut=cells > _MAX_CELLS)
