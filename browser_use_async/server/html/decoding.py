"""From the bytes of a text to its characters, and from JSON to values that can be sent on."""

import codecs
import json
import math
import re
from typing import Any

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


def charset_of(content_type: str) -> str | None:
    """The charset that a `Content-Type` header names."""
    match = _CHARSET.search(content_type)
    return match[1] if match else None


def decode_text(body: bytes, declared: str | None = None, *, markup: bool = False) -> str:
    """The characters of a text. Bytes that do not fit become replacement characters.

    A byte-order mark wins, then the declared charset, then the one in a `meta` element of HTML,
    then UTF-8, and at last Windows-1252.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body.decode(name, "replace")
    meta = _META.search(body, 0, _META_WITHIN) if markup else None
    for candidate in (declared, meta[1].decode("ascii", "replace") if meta else None):
        codec = _text_codec(candidate)
        if codec is not None:
            return body.decode(codec, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def load_json(text: str) -> Any:
    """The value that JSON stands for, without what JSON or UTF-8 cannot express again.

    NaN and infinite numbers become null, halves of surrogate pairs question marks.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        value = json.loads(text, strict=False, parse_constant=_nothing, parse_float=_finite)
        if "\\ud" in text.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    return value


def _nothing(name: str) -> None:
    return None


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
    return codec if _CHARACTER_SETS.fullmatch(codec) else None
