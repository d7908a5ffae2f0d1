"""Mutants of answers without a model, and of the reading of HTML without a browser."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_BY_NAME = "server/executors/answers/by_name.py"
_SPELLING = "server/executors/answers/spelling.py"
_MARKUP = "server/html/markup.py"
_PAIRS = "server/scripts/test_answers.py::test_a_later_page_gives_its_own_values"
_NO_NUMBERS = "server/plain/test_schema.py::test_other_texts_are_no_numbers"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "of several values of one name any is the answer",
        _BY_NAME,
        "_Reading._only",
        "len(values) > 1",
        "False",
        (_PAIRS, _NO_NUMBERS),
    ),
    Mutant(
        "of several lists all are the answer",
        _BY_NAME,
        "_Reading._list",
        "len(meant) not in {1, len(roots)}",
        "False",
        (_PAIRS,),
    ),
    Mutant(
        "a range is the number that it begins with",
        _SPELLING,
        "Spelling._numbers_in",
        "len(tokens) != 1 or _MORE.search(text)",
        "not tokens",
        (_NO_NUMBERS,),
    ),
    Mutant(
        "a long whole number loses its last digits",
        _SPELLING,
        "_number",
        "int(plain)",
        "int(float(plain))",
        ("server/plain/test_schema.py::test_texts_have_their_values",),
    ),
    Mutant(
        "a choice is known by its letters alone",
        _SPELLING,
        "Spelling.meanings",
        "text in names",
        "False",
        ("server/plain/test_schema.py::test_texts_have_their_values",),
    ),
    Mutant(
        "hidden elements of HTML are read",
        _MARKUP,
        "_is_hidden",
        "'display:none' in style",
        "False",
        ("server/html/test_reading.py::test_readable_text_keeps_headings_and_drops_noise",),
    ),
    Mutant(
        "elements of HTML may be in each other without end",
        _MARKUP,
        "_TreeParser._begin",
        "len(self._open) < MOST_DEPTH - 2",
        "True",
        ("server/html/test_reading.py::test_deeply_nested_page_is_read",),
    ),
)
