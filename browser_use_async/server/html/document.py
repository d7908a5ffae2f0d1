"""From an answer's bytes to a page, by their type: HTML, plain text, JSON and CSV."""

import asyncio
import codecs
import csv
import io
import json
import math
import mimetypes
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from yarl import URL

from browser_use_async.server.html.markup import MOST_CHARACTERS, TreeNotReadableError, read_tree
from browser_use_async.server.html.page import Page, Row, Table
from browser_use_async.server.html.page_tree import MOST_NODES, PageNode
from browser_use_async.server.html.pauses import pause
from browser_use_async.server.html.reading import page_of

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_META_WITHIN = 4096
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python knows more codecs than pages may name: punycode takes minutes for a megabyte.
_CHARACTER_SETS = re.compile(
    r"utf-8|utf-16(-[lb]e)?|cp\d+|iso8859-\d+|koi8-[rtu]|mac-\w+|tis-620"
    r"|shift_ji\w+|euc_\w+|iso2022_\w+|gb\w+|big5\w*"
)
# Browsers read these names as their Windows superset, and so do we.
_LATIN = frozenset({"ascii", "iso8859-1"})
MARKUP = frozenset({"text/html", "application/xhtml+xml"})
"""The content types of pages that are trees of elements."""

_CSV = {"text/csv": ",", "application/csv": ",", "text/tab-separated-values": "\t"}
_PIECE_BYTES = 64_000  # that are decoded in one go, during which no other thread runs
_MAX_LINES = 5000
_MAX_CELLS = 200_000
_MAX_DEPTH = 32


def charset_of(content_type: str) -> str | None:
    """The charset that a `Content-Type` header names."""
    match = _CHARSET.search(content_type)
    return match[1] if match else None


def decode_text(body: bytes, declared: str | None = None, *, markup: bool = False) -> str:
    """The characters of a text, or of the beginning of a long one.

    Bytes that do not fit become replacement characters. A byte-order mark wins, then the declared
    charset, then the one in a `meta` element of HTML, then UTF-8, and at last Windows-1252.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _decoded(body, name)
    meta = _META.search(body, 0, _META_WITHIN) if markup else None
    for candidate in (declared, meta[1].decode("ascii", "replace") if meta else None):
        codec = _text_codec(candidate)
        if codec is not None:
            return _decoded(body, codec)
    try:
        return _decoded(body, "utf-8", "strict")
    except UnicodeDecodeError:
        return _decoded(body, "cp1252")


def _decoded(body: bytes, codec: str, errors: str = "replace") -> str:
    """As many characters as are read of a document, and one more if it is longer."""
    decoder, parts, count = codecs.getincrementaldecoder(codec)(errors), list[str](), 0
    for start in range(0, len(body), _PIECE_BYTES):
        pause()
        end = start + _PIECE_BYTES
        parts.append(decoder.decode(body[start:end], final=end >= len(body)))
        count += len(parts[-1])
        if count > MOST_CHARACTERS:
            break
    return "".join(parts)[: MOST_CHARACTERS + 1]


def load_json(text: str) -> Any:
    """The value of JSON text; NaN and infinity become null, halves of surrogate pairs `?`."""
    try:
        value = json.loads(text, strict=False, parse_constant=lambda _: None, parse_float=_finite)
        if "\\ud" in text.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    return value


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _text_codec(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    if codec in _LATIN:
        return "cp1252"
    if codec == "utf-16":  # without a mark, which would have won
        return "utf-16-le"
    return codec if _CHARACTER_SETS.fullmatch(codec) else None


class UnreadableDocumentError(Exception):
    """A document that cannot be read. Its text is a clause for a person."""


async def read_document(url: str, content_type: str, body: bytes) -> Page:
    """Read a document in a thread.

    Raises:
        UnreadableDocumentError: It is no text, or not what it is said to be.
    """
    return await asyncio.to_thread(parse_document, url, content_type, body)


def parse_document(url: str, content_type: str, body: bytes) -> Page:
    """The same in this thread."""
    declared = charset_of(content_type)
    guessed = "text/html" if body.lstrip()[:1] == b"<" else "text/plain"
    kind = content_type.partition(";")[0].strip().lower() or guessed
    if kind in MARKUP:
        try:
            root, is_cut = read_tree(url, decode_text(body, declared, markup=True))
        except TreeNotReadableError as error:
            raise UnreadableDocumentError(str(error)) from None
        return page_of(url, root, cut=is_cut)
    if not _is_textual(kind):
        raise UnreadableDocumentError(f"it is {kind}, and only text can be read")
    text = decode_text(body, declared)
    if "\x00" in text:
        raise UnreadableDocumentError("it is said to be text, and is not")
    if kind == "application/json" or kind.endswith("+json"):
        return _read_json(url, text)
    if kind in _CSV:
        return _read_csv(url, text, _CSV[kind])
    said = _lines(text[:MOST_CHARACTERS])
    root = PageNode.of(["html", {}, [["body", {}, [["p", {}, [said]]]]]])
    is_cut = len(text) > MOST_CHARACTERS
    return Page(url=url, title=URL(url).name, text=said, root=root, cut=is_cut)


def type_of_file(name: str) -> str:
    """The content type that a file's name stands for, plain text for an unknown one."""
    if name.lower().endswith((".md", ".log")):
        return "text/plain"
    return mimetypes.types_map.get(PurePosixPath(name.lower()).suffix, "text/plain")


def _is_textual(kind: str) -> bool:
    if kind.startswith("text/") or kind in _CSV:
        return True
    if kind.startswith("image/"):  # also an SVG
        return False
    return kind in {"application/json", "application/xml"} or kind.endswith(("+json", "+xml"))


def _lines(text: str) -> str:
    lines = list[str]()
    for line in text.splitlines():
        pause()
        lines.append(" ".join(line.split()))
    return "\n".join(lines).strip()


def _read_json(url: str, text: str) -> Page:
    if len(text) > MOST_CHARACTERS:  # it cannot be read from its beginning
        raise UnreadableDocumentError(f"it is JSON of more than {MOST_CHARACTERS:,} characters")
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
    tree = _json_tree(document, iter(range(MOST_NODES + 1)))
    root = PageNode.of(["html", {}, [["body", {}, [tree]]]])
    return Page(url=url, title=URL(url).name, text="\n".join(lines), root=root)


def _json_tree(value: Any, left: Iterator[int], depth: int = 0) -> Any:
    """Values as a page shows them: the members of an object as terms, a list as items.

    Each takes a number of those that are left; with one more than a tree may have it is cut.
    """
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        content = list[Any]()
        for (key, each), _ in zip(value.items(), left, strict=False):
            content += ["dt", {}, [key]], ["dd", {}, [_json_tree(each, left, depth + 1)]]
        return ["dl", {}, content]
    if isinstance(value, list) and depth < _MAX_DEPTH:
        pairs = zip(value, left, strict=False)
        return ["ul", {}, [["li", {}, [_json_tree(each, left, depth + 1)]] for each, _ in pairs]]
    return value if isinstance(value, str) else json.dumps(value)


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
    reader = csv.reader(io.StringIO(text[:MOST_CHARACTERS], newline=""), delimiter=delimiter)
    rows: list[tuple[str, ...]] = []
    cells = 0
    try:
        for row in reader:
            pause()
            cells += len(row)
            if cells > _MAX_CELLS:
                break
            if any(row):
                rows.append(tuple(cell.strip() for cell in row))
    except csv.Error:
        raise UnreadableDocumentError("it is said to be CSV, and is not") from None
    name = URL(url).name
    tables = [Table(rows[0], [Row(row) for row in rows[1:]], name)] if rows[1:] else []
    shown = "\n".join(" | ".join(filter(None, row)) for row in rows)
    root, nodes = PageNode("html", {}, None), 0
    table = root.add("body", {}).add("table", {})
    for texts in rows:
        pause()
        nodes += 1 + len(texts)
        if nodes > MOST_NODES:
            root.is_cut = True
            break
        tag, line = "td" if table.content else "th", table.add("tr", {})
        for each in texts:
            line.add(tag, {}).content.append(each)
    is_cut = cells > _MAX_CELLS or len(text) > MOST_CHARACTERS
    return Page(url=url, title=name, text=shown, tables=tables, root=root, cut=is_cut)
