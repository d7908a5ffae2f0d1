import csv
import io
import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.cli.batch.input import InputFile, InputItem, RowFile, Template
from browser_use_async.errors import ConfigurationError

HEAD_OFFICE = "Find {company}'s head office"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """A file with a content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tasks(path: Path, template: str | None = None, encoding: str = "utf-8") -> list[InputItem]:
    """The tasks of a file, which is checked first as the command does it."""
    file = InputFile(RowFile(path, encoding), None if template is None else Template.read(template))
    items = list(file.items())
    assert file.check().count == len(items)
    return items


# --- templates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Find {company}'s head office", "Find Acme's head office"),
        ("{company} {company} in {the town}", "Acme Acme in Oslo"),
        ('As JSON: {{"name": "{company}"}}', 'As JSON: {"name": "Acme"}'),
        ("{{company}} {a.b}", "{company} {company}"),
    ],
)
def test_a_template_is_filled(text, filled):
    """Columns fill their places, doubled braces are braces, and values are never expanded."""
    values = {"company": "Acme", "the town": "Oslo", "a.b": "{company}"}

    assert Template.read(text).render(values) == filled


@pytest.mark.long
@given(st.dictionaries(st.text(st.characters(exclude_characters="{}"), min_size=1), st.text()))
def test_any_value_is_filled_in_unchanged(values):
    """Whatever a cell contains is in the task letter by letter."""
    template = Template.read("".join(f"{{{{{{{name}}}}}}}" for name in {**values, "x": ""}))

    assert template.render({"x": "", **values}) == "".join(
        f"{{{value}}}" for value in {**values, "x": values.get("x", "")}.values()
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Find {company", "a brace stands alone"),
        ("Find company}", "a brace stands alone"),
        ("Find {}", "a brace stands alone"),
        ("Find it", "no {column}"),
        ("Find {{it}}", "no {column}"),
    ],
)
def test_a_template_that_cannot_be(text, problem):
    """An invalid template is refused with an explanation."""
    with pytest.raises(ConfigurationError, match=problem):
        Template.read(text)


# --- rows -----------------------------------------------------------------------------------


def test_csv(tmp_path):
    """Columns fill the template, a column `key` names the task, and quotes may span lines."""
    path = written(
        tmp_path,
        "in.csv",
        'key,company,note\r\na,"Acme, Inc.",x\r\n\r\nb,"Two\nlines",y\r\nc,Ümlaut,z',
    )

    assert [(each.line, each.key, each.task) for each in tasks(path, HEAD_OFFICE)] == [
        (2, "a", "Find Acme, Inc.'s head office"),
        (4, "b", "Find Two\nlines's head office"),
        (6, "c", "Find Ümlaut's head office"),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "task;country\nGo, there;NO\n"),
        ("in.csv", '"task, or so",b\n'.replace('"task, or so"', "task") + '"Go, there",NO\n'),
        ("in.tsv", "task\tcountry\nGo, there\tNO\n"),
        ("in.CSV", "\ufefftask\n" + '"Go, there"\n'),
        ("in.jsonl", '{"task": "Go, there", "country": null}\n'),
        ("in.ndjson", '\ufeff\n{"country": {"a": 1}, "task": "Go, there"}'),
    ],
)
def test_the_column_task_is_the_task(tmp_path, name, content):
    """Without a template the column `task` is the task, for any separator, with BOM or without."""
    path = written(tmp_path, name, content)

    assert [(each.key, each.task) for each in tasks(path)] == [(None, "Go, there")]


def test_values_of_json(tmp_path):
    """A value of a JSON row that is no text is in the task as JSON."""
    row = {"key": 7, "n": 1.5, "is": True, "list": ["ä", 1]}
    path = written(tmp_path, "in.jsonl", json.dumps(row))

    (item,) = tasks(path, "{n} {is} {list}")
    assert (item.line, item.key, item.task) == (1, "7", '1.5 true ["ä", 1]')
    assert item.values == {"key": "7", "n": "1.5", "is": "true", "list": '["ä", 1]'}


@pytest.mark.long
@given(
    st.lists(
        st.fixed_dictionaries(
            {"company": st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)}
        ),
        min_size=1,
    ),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_python_writes_is_read_back(tmp_path_factory, rows, delimiter):
    """All texts that Python's own CSV writer writes are read unchanged."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["company", "x"], restval="x", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path = written(tmp_path_factory.mktemp("csv"), "in.csv", out.getvalue())

    assert [each.task for each in tasks(path, "{company}")] == [row["company"] for row in rows]


def test_reading_is_lazy(tmp_path):
    """The first rows of a file are read before the last, which is broken here."""
    path = written(tmp_path, "in.csv", "task\n" + "Go\n" * 100_000 + '"broken')
    rows = InputFile(RowFile(path)).items()

    assert [each.line for each in islice(rows, 3)] == [2, 3, 4]
    rows.close()


def test_other_encodings(tmp_path):
    """Files of other encodings are read when the encoding is given."""
    for encoding in ("cp1252", "utf-16", "utf-16-le"):
        path = written(tmp_path, "in.csv", "task\nZürich\n".encode(encoding))

        assert [each.task for each in tasks(path, encoding=encoding)] == ["Zürich"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("in.csv", "", "no rows"),
        ("in.csv", "\n\n", "no rows"),
        ("in.csv", "company\n", "no rows"),
        ("in.jsonl", "\n", "no rows"),
        ("in.txt", "company\nAcme\n", r"ends in \.csv"),
        ("in.csv", "company\nAcme\nÜber\n".encode("cp1252"), "line 3.*--encoding cp1252"),
        ("in.csv", "company\nAcme\n".encode("utf-16"), "--encoding utf-16"),
        ("in.csv", "company,b\nAcme,1\nOther\n", "line 3.*1 values.*2 columns"),
        ("in.csv", "company\nAcme\na,b\n", "line 3.*2 values.*1 columns"),
        ("in.csv", "company;b\nAcme;1\nOther,2\n", "line 3.*1 values.*2 columns, separated by ';'"),
        ("in.csv", "company,b\nAcme,1\n ,2\n", "line 3.*'company' is empty"),
        ("in.csv", "town\nOslo\n", "line 2.*no 'company'.*has 'town'"),
        ("in.csv", "company,company\nAcme,b\n", "line 1.*two columns"),
        ("in.csv", 'company\nAcme\n"open\nmore\n', "line 3.*no CSV"),
        ("in.csv", "company\n" + "x" * 200_000 + "\n", "line 2.*no CSV.*field limit"),
        ("in.csv", "key,company\na,Acme\nb,B\na,C\n", "line 4.*'a' is that of an earlier line"),
        ("in.csv", "key,company\n,Acme\n", "line 2.*key is empty"),
        ("in.jsonl", '{"company": "Acme"}\n{"company"\n', "line 2.*no JSON"),
        ("in.jsonl", '{"company": "a", "company": "b"}\n', "line 1.*same key twice"),
        ("in.jsonl", '["Acme"]\n', "line 1.*no JSON object"),
        ("in.jsonl", '{"company": null}\n', "line 1.*no 'company'.*has nothing"),
        ("in.jsonl", b'{"company": "Acme"}\n{"company": "\xff"}\n', "line 2.*not UTF-8"),
    ],
)
def test_an_input_that_cannot_be(tmp_path, name, content, problem):
    """An invalid input is refused before it is used, and the error names the line."""
    path = written(tmp_path, name, content)
    file = InputFile(RowFile(path), Template.read(HEAD_OFFICE))

    with pytest.raises(ConfigurationError, match=problem) as caught:
        file.check()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_an_input_that_cannot_be_read(tmp_path, name):
    """A missing file, or a path that is no file, is refused with an explanation."""
    (tmp_path / "folder.csv").mkdir()
    path = tmp_path / (name if name != "." else "folder.csv")

    with pytest.raises(ConfigurationError, match="cannot be read: "):
        InputFile(RowFile(path)).check()


@given(st.binary(max_size=200), st.sampled_from(["in.csv", "in.tsv", "in.jsonl"]))
def test_any_bytes(tmp_path_factory, content, name):
    """Any bytes of a file result in tasks or a typed error, and nothing else."""
    path = written(tmp_path_factory.mktemp("any"), name, content)
    try:
        said = str(InputFile(RowFile(path)).check())
    except ConfigurationError as error:
        said = str(error)

    assert said.isdigit() or str(path) in said
