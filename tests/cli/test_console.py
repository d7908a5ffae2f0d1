import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.cli.console import Console, printable
from browser_use_async.cli.screen import Style
from browser_use_async.cli.tables import Head


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Always true."""
        return True


class Pipe(io.StringIO):
    """A stream that says it is none."""

    encoding = "utf-8"


@pytest.mark.long
@given(st.text())
def test_printable(text):
    """No character that could control a terminal is left, and none is lost."""
    cleaned = printable(text)

    assert cleaned.isprintable()
    assert len(cleaned) == len(text)


@pytest.mark.long
@given(st.recursive(st.none() | st.booleans() | st.text(), st.lists))
def test_emitted_json(value):
    """Emitted JSON is one line that reads back the same and contains no control character."""
    out = Pipe()
    Console(stdout=out, stderr=Pipe()).result(value)
    (line,) = out.getvalue().splitlines()

    assert json.loads(line) == value
    assert not any("\x7f" <= each <= "\x9f" for each in line)


STEERING = [
    each
    for each in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
]
UNSEEN = [*STEERING, "\u034f", "\u115f", "\u1160", "\u180b", "\u3164", "\uffa0", "\U000e0101"]


def test_no_character_is_hidden_in_json():
    """Zero-width, tag, BOM and other format characters are escaped, in values and names."""
    text = "a".join(UNSEEN)
    out = Pipe()
    Console(stdout=out, stderr=Pipe()).result({text: [text, "\xe9 \u4e2d \u3000 \U0001f600"]})
    written = out.getvalue().removesuffix("\n")

    assert json.loads(written) == {text: [text, "\xe9 \u4e2d \u3000 \U0001f600"]}
    assert [each for each in UNSEEN if each in written] == []
    assert "\xe9 \u4e2d \u3000 \U0001f600" in written  # visible characters stay unchanged


def test_no_character_is_hidden_in_words():
    """An invisible character, or one that controls the terminal, is a blank in words for people."""
    text = "a".join(UNSEEN)

    assert printable(text) == "a".join(" " for _each in UNSEEN)
    assert printable("\xe9\u4e2d\U0001f600") == "\xe9\u4e2d\U0001f600"


def test_a_status_cannot_steer_the_terminal():
    """Nor can the text of a spinner, at its start, in its updates or in a notice."""
    terminal = Terminal()
    console = Console(stdout=Pipe(), stderr=terminal)
    steering = "\x1b]52;c;aGk=\x07\x1b]0;title\x07\x1b[2Jname\x9b2J\u202e"
    with console.status(steering) as change:
        change(f"{steering}: 1 byte")
        console.set_notice(steering)
        console.set_notice(None)
    console.table((Head(steering), Head("B")), [(steering, "b")])

    assert "name" in terminal.getvalue()
    for sequence in ("\x1b]", "\x1b[2J", "\x9b", "\x07", "\u202e"):
        assert sequence not in terminal.getvalue()


def test_emitted_json_on_a_terminal():
    """On a terminal JSON is indented; a stream with an old encoding escapes an umlaut."""
    terminal, old = Terminal(), Pipe()
    Pipe.encoding, encoding = "ascii", Pipe.encoding
    try:
        Console(stdout=old, stderr=old).result({"a": "ä"})
    finally:
        Pipe.encoding = encoding
    Console(stdout=terminal, stderr=Pipe(), as_json=True).result({"a": "ä"})

    assert old.getvalue() == '{"a": "\\u00e4"}\n'
    assert terminal.getvalue() == '{\n  "a": "ä"\n}\n'


def test_item_is_wrapped_behind_its_prefix(monkeypatch):
    """On a terminal long text is wrapped behind its prefix; in a pipe it is not."""
    monkeypatch.setenv("COLUMNS", "50")
    terminal, pipe = Terminal(), Pipe()
    text = "nine words that do not fit into one line\nof a terminal"
    for stream in (terminal, pipe):
        Console(plain=True, stdout=stream, stderr=stream).labelled(["step 12  "], text)

    assert terminal.getvalue() == (
        "step 12  nine words that do not fit into one line\n         of a terminal\n"
    )
    assert pipe.getvalue() == f"step 12  {text}\n".replace("line\nof", "line of")


def test_text_from_elsewhere_cannot_steer_the_terminal():
    """Escape sequences in texts of a server are shown as spaces, with rich and without."""
    for plain in (True, False):
        terminal = Terminal()
        console = Console(plain=plain, stdout=terminal, stderr=terminal)
        console.info("a\x1b]0;title\x07b", ("c\x9b2Jd", Style.PLAIN))
        console.labelled(["e"], "[red]f[/red]\x1b[2J")

        assert terminal.getvalue() == "a ]0;title bc 2Jd\ne[red]f[/red] [2J\n"


def test_table(monkeypatch):
    """Columns are aligned, and the last one is cut where the terminal ends."""
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    console = Console(plain=True, stdout=terminal, stderr=Pipe())
    console.table(
        (Head("ID"), Head("WORDS", is_text=True)),
        [("1", "short"), ("1000", ("long enough to be cut", Style.BAD))],
    )

    assert terminal.getvalue().splitlines() == [
        "ID    WORDS  ".rstrip(),
        "1     short",
        "1000  long enough t…",
    ]


def test_wide_characters_take_two_columns(monkeypatch):
    """Columns are aligned and cut as a terminal draws them; combining accents have no width."""
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    console = Console(plain=True, stdout=terminal, stderr=Pipe())
    rows = [
        ("東京", "天気を調べて予定を書く"),
        ("Zu\u0308", "🚲 cafe\u0301"),
        ("abcd", "1234567890123456"),
    ]
    console.table((Head("ID"), Head("WORDS", is_text=True)), rows)

    assert terminal.getvalue().splitlines() == [
        "ID    WORDS",
        "東京  天気を調べて…",
        "Zu\u0308    🚲 cafe\u0301",
        "abcd  1234567890123…",
    ]


def test_colours(monkeypatch):
    """What has a style is coloured by rich; NO_COLOR and --plain are respected."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, without, plain = Terminal(), Terminal(), Terminal()
    Console(stdout=coloured, stderr=coloured).info(("red", Style.BAD))
    Console(plain=True, stdout=plain, stderr=plain).info(("red", Style.BAD))
    monkeypatch.setenv("NO_COLOR", "1")
    Console(stdout=without, stderr=without).info(("red", Style.BAD))

    assert coloured.getvalue() == "\x1b[31mred\x1b[0m\n"
    assert without.getvalue() == plain.getvalue() == "red\n"


def test_a_terminal_without_columns_gets_all_words(monkeypatch):
    """Some programs export a width of 0 when it is unknown."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "0")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    console = Console(stdout=terminal, stderr=terminal)
    console.line("finished")
    console.table((Head("ID"),), [("1",)])

    assert "finished\n" in terminal.getvalue()
    assert "1\n" in terminal.getvalue()


def test_a_dumb_terminal_gets_lines_only(monkeypatch):
    """It would print control sequences as text; it still has a width."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "12")
    terminal = Terminal()
    console = Console(stdout=terminal, stderr=terminal)
    with console.status("waiting"):
        console.info(("a step", Style.GOOD))
    console.table((Head("TASK", is_text=True),), [("long enough to be cut",)])

    assert terminal.getvalue() == "a step\nTASK\nlong enough…\n"


def test_long_address_stays_whole(monkeypatch):
    """An address longer than the line is not broken, so that it can be copied."""
    monkeypatch.setenv("COLUMNS", "40")
    address = f"http://127.0.0.1:8765/live/{'x' * 60}"
    terminal = Terminal()
    Console(stdout=terminal, stderr=terminal).info("watch live at ", address)

    assert terminal.getvalue() == f"watch live at {address}\n"


def test_working(monkeypatch):
    """Work in progress is shown while it lasts, on a terminal that can; elsewhere it is not."""
    monkeypatch.setenv("TERM", "xterm")
    terminal, pipe = Terminal(), Pipe()
    with Console(stdout=pipe, stderr=terminal).status("one moment") as change:
        change("another moment")
    with Console(stdout=pipe, stderr=pipe).status("one moment") as change:
        change("another moment")

    assert pipe.getvalue() == ""
    assert terminal.getvalue() != ""
