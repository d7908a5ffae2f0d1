import codecs
import json
import math

import pytest

from browser_use_async.server.html.document import charset_of, decode_text, load_json


@pytest.mark.parametrize(
    ("header", "charset"),
    [
        ("text/html", None),
        ("text/html; charset=utf-8", "utf-8"),
        ('text/html; Charset = "ISO-8859-1"; x=y', "ISO-8859-1"),
    ],
)
def test_charset_stands_in_the_header(header, charset):
    """The charset is found in any spelling."""
    assert charset_of(header) == charset


@pytest.mark.parametrize(
    ("body", "declared", "text"),
    [
        ("grün".encode(), None, "grün"),
        ("grün".encode("latin-1"), None, "grün"),
        ("grün".encode("latin-1"), "iso-8859-1", "grün"),
        ("“grün”".encode("cp1252"), "latin1", "“grün”"),
        ("grün €".encode("iso-8859-15"), "ISO-8859-15", "grün €"),
        ("привет".encode("koi8-r"), "koi8-r", "привет"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        (codecs.BOM_UTF8 + "grün".encode(), "latin-1", "grün"),
        (codecs.BOM_UTF16_LE + "grün".encode("utf-16-le"), None, "grün"),
        (codecs.BOM_UTF16_BE + "grün".encode("utf-16-be"), "utf-8", "grün"),
        ("grün".encode("utf-16-le"), "utf-16", "grün"),
        (b"a\xffb", "utf-8", "a\ufffdb"),
        ("grün".encode(), "no-such-charset", "grün"),
        ("grün".encode(), "hex", "grün"),
        (b"a-b-c" * 3, "punycode", "a-b-c" * 3),
    ],
)
def test_bytes_become_characters(body, declared, text):
    """Marks, declared charsets and guesses give the text; codecs that are no charset do not."""
    assert decode_text(body, declared) == text


def test_of_a_long_text_the_beginning_is_decoded():
    """One character more than is read says that there was more; a sign is never cut in two."""
    assert len(decode_text("€".encode() * 1_100_000)) == 1_000_001
    assert {*decode_text("日本".encode("shift_jis") * 40_000, "shift_jis")} == {*"日本"}


@pytest.mark.parametrize(
    "meta",
    [
        b'<meta charset="iso-8859-15">',
        b"<META http-equiv=Content-Type content='text/html; charset=ISO-8859-15'>",
    ],
)
def test_meta_element_names_the_charset(meta):
    """HTML may name its charset itself, and only HTML; a header has priority."""
    body = meta + "€".encode("iso-8859-15")

    assert decode_text(body, markup=True).endswith("€")
    assert not decode_text(body).endswith("€")
    assert not decode_text(body, "cp1252", markup=True).endswith("€")


def test_json_is_loaded_so_that_it_can_be_sent_again():
    """NaN, infinity and half characters are replaced; everything else is kept."""
    value = load_json('{"a": [NaN, 1e999, -Infinity, 1.5], "b": "\\ud83d\\ude00", "c": "\\ud83d"}')

    assert value["a"] == [None, None, None, 1.5]
    assert value["b"] == "\N{GRINNING FACE}"
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    assert math.isclose(load_json("2.5"), 2.5)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000, "{'a': 1}"])
def test_other_text_is_no_json(text):
    """Any text that is no JSON raises the one error."""
    with pytest.raises(ValueError):
        load_json(text)
