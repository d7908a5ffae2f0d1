"""Cells of CSV files, which no spreadsheet takes for formulas."""

import re

# A formula may send data away. A text that has been quoted before is quoted again, so that what was
# written can be read back. Some spreadsheets take the full-width signs for the others, and some
# ignore characters without width before a sign.
_FORMULA = re.compile(
    r"'*[\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*"
    r"[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]"
)
_HARMLESS = re.compile(r"-|[+-]?[0-9]+([.,][0-9]+)*( ?%)?")


def cell_of(text: str) -> str:
    """The text, behind a quote if it would be a formula; numbers and a dash are none."""
    is_formula = _FORMULA.match(text) and not _HARMLESS.fullmatch(text)
    return f"'{text}" if is_formula else text
