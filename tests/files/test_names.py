"""Names of files that servers choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.errors import InvalidRequestError, UnsafeFileNameError
from browser_use_async.files.names import (
    MAX_NAME_BYTES,
    check_name,
    problem_with,
    safe_name,
    truncate,
    unique_names,
)
from tests.support.storage import TASK, refusing

HOSTILE = [
    "",
    ".",
    "..",
    "../../x",
    "../x",
    "/abs",
    "/",
    "a/b",
    "a\\b",
    "..\\x",
    "C:\\x",
    "C:x",
    "a:b",
    "\\\\server\\share",
    "nul\x00byte",
    "new\nline",
    "carriage\rreturn",
    "tab\there",
    "escape\x1b[2J",
    "delete\x7f",
    "\x85next-line",
    "line\u2028separator",
    "CON",
    "con",
    "aux.txt",
    "NUL.tar.gz",
    "com1",
    "LPT¹.txt",
    "CONIN$",
    "a.",
    "a ",
    " a",
    "a. . .",
    "~",
    "~root",
    "-rf",
    "--output=x",
    "x" * 300,
    "é" * 128,
    "gpj\u202eexe",
    "a\u2066b",
    "half\ud800surrogate",
]
HARMLESS = [
    "a",
    "report.csv",
    "Übersicht (1).pdf",
    ".env",
    "%2e%2e",
    "a b",
    "x" * 255,
    "日本.txt",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_refused(name):
    """A name that leaves its directory or is invalid in a file system is refused with a reason."""
    with pytest.raises(UnsafeFileNameError, match="because") as caught:
        check_name(name, task_id=TASK)

    assert caught.value.task_id == TASK
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("name", HARMLESS)
def test_ordinary_names_are_taken(name):
    """The usual names of people are accepted."""
    assert problem_with(name) is None


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_made_safe(name, tmp_path):
    """A name that is derived from a hostile text is safe and stays in its directory."""
    made = safe_name(name, "fallback.png")

    assert problem_with(made) is None
    assert (tmp_path / made).resolve().parent == tmp_path.resolve()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("report.csv", "report.csv"),
        ("../../x", "_.._x"),
        ("a/b.png", "a_b.png"),
        ("..", "fallback"),
        ("", "fallback"),
        (". .", "fallback"),
        ("con.png", "_con.png"),
        ("-rf.png", "_rf.png"),
        ("a.png. ", "a.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("é" * 200 + ".png", "é" * 125 + ".png"),
        ("x" * 300, "x" * 255),
        ("e\u0301.png", "é.png"),
    ],
)
def test_safe_names_stay_close(text, name):
    """Harmless parts of a name are kept, first of all its suffix."""
    assert safe_name(text, "fallback") == name


@given(st.text())
def test_every_text_can_be_made_safe(text):
    """For any text the derived name is safe, and deriving it again changes nothing."""
    name = safe_name(text, "fallback")

    assert problem_with(name) is None
    assert safe_name(name, "fallback") == name


def test_names_that_some_file_system_confuses_get_numbers():
    """Names that differ only in case or in the form of their accents get numbers."""
    names = ["shot.png", "Shot.PNG", "shot.png", "caf\u00e9", "cafe\u0301", "shot-2.png", "ß", "SS"]

    assert unique_names(names) == [
        "shot.png",
        "Shot-2.PNG",
        "shot-3.png",
        "caf\u00e9",
        "cafe\u0301-2",
        "shot-2-2.png",
        "ß",
        "SS-2",
    ]


@given(st.lists(st.text("aA.é-2", min_size=1, max_size=4).map(lambda text: safe_name(text, "f"))))
def test_distinct_names_are_distinct(names):
    """No two results are equal in any case, each is safe, and the first keeps its name."""
    made = unique_names(names)

    assert len({name.casefold() for name in made}) == len(names)
    assert all(problem_with(name) is None for name in made)
    assert made[:1] == names[:1]


def test_long_names_with_numbers_are_not_too_long():
    """The number fits into a name that has the full length already."""
    made = unique_names(["é" * 125 + ".png"] * 3)

    assert len(set(made)) == 3
    assert all(problem_with(name) is None and name.endswith(".png") for name in made)


def test_cutting_keeps_characters_whole():
    """A cut falls between characters."""
    assert truncate(4, "aéé") == "aé"
    assert truncate(MAX_NAME_BYTES, "short") == "short"


@pytest.mark.parametrize("name", ["CON", "a.", "-rf", "a:b", "x" * 300])
async def test_an_unsafe_output_file_is_refused_in_a_directory(session, storage, tmp_path, name):
    """Nothing is sent for a name that is not safe; with a name of one's own it works."""
    storage.keep(name, b"content")

    with refusing(UnsafeFileNameError):
        await session.files.download_output_file(TASK, name, tmp_path)
    refused = list(storage.api.requests)
    path = await session.files.download_output_file(TASK, name, tmp_path / "mine.bin")

    assert not refused
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("name", ["../../x", "/abs", "a\\b", "..", ""])
async def test_a_name_that_is_no_segment_is_refused_everywhere(session, storage, tmp_path, name):
    """A name that would reach another route of the API is not requested at all."""
    with refusing(InvalidRequestError):
        await session.files.download_output_file(TASK, name, tmp_path / "mine.bin")

    assert not storage.api.requests
