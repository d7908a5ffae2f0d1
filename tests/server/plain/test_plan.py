import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_use_async.server.executors.instructions.actions import (
    Click,
    OpenAddress,
    OpenFile,
    Part,
)
from browser_use_async.server.executors.instructions.plan import read_plan
from browser_use_async.server.executors.protocol import CannotContinueError

A, B = "https://a.example/x", "https://b.example"


def steps(task: str, files: tuple[str, ...] = ()) -> list[str]:
    """A plan in short: addresses and files unchanged, links as `>words` or `>words?`."""
    shown: list[str] = []
    for action in read_plan(task, files).actions:
        match action.action:
            case OpenAddress(url):
                shown.append(url)
            case OpenFile(name):
                shown.append(name)
            case Click(phrase, needed):
                shown.append(f">{phrase}" if needed else f">{phrase}?")
            case _:
                raise AssertionError(action)
    return shown


PLANS = {
    f"Open {A} and tell me its title": [A],
    f"Tell me the titles of {A} and {B}.": [A, B],
    f"Open {A}, then open {B}": [A, B],
    f"Open {A} and {A}": [A],
    f"Open {A}, click Prices and tell me them": [A, ">Prices"],
    f"Open {A}, click on the 'Our Prices' link, and report": [A, ">Our Prices"],
    f"Open {A} and follow the link “Prices and more”, then read": [A, ">Prices and more"],
    f'Open {A} and click "Today\'s prices"': [A, ">Today's prices"],
    f"Open {A} and click “Sign up, then log in”": [A, ">Sign up, then log in"],
    f"Open {A} and follow the link called Prices.": [A, ">Prices"],
    f"Open {A} and follow the link to the price list": [A, ">price list"],
    f"Open {A} and follow the prices link, then open the team page": [A, ">prices", ">team"],
    f"Go to {A}. Go to the prices page. Return the table.": [A, ">prices"],
    f"1. Open {A}\n2. Click Prices\n3. Tell me the title": [A, ">Prices"],
    f"Open the prices page of {A} and tell me its title": [A, ">prices"],
    f"On {A}, navigate to the page named Prices": [A, ">Prices"],
    f"Open {A} and click Terms and Conditions": [A, ">Terms and Conditions"],
    f"Open {A}, click Prices, then open {B} and click Team": [A, ">Prices", B, ">Team"],
    f"Open {A}, click Prices, open {A} and click Team": [A, ">Prices", A, ">Team"],
    f"Open {A} and go to the shop": [A, ">shop"],
    f"Open {A} and go to the home page": [A, ">home?"],
    f"Open {A} and download the price list": [A, ">price list"],
    f"Please open the page {A} and tell me": [A],
    f"Open the prices page at {A} and read it": [A],
    f"Open the prices page ({A})": [A],
    f"Open {A} and save the table as prices.csv": [A],
    f"Open {A} and download the table as prices.csv": [A],
    "Open shop.example/x and read": ["https://shop.example/x"],
}


@pytest.mark.parametrize(("task", "expected"), PLANS.items(), ids=list(PLANS))
def test_task_becomes_a_plan(task, expected):
    """Pages are opened and links followed in the order of the text."""
    assert steps(task) == expected


def test_files_are_read_when_they_are_named():
    """A file that came with the task is read where the text names it."""
    assert steps("Read data.csv and list.txt", ("list.txt", "data.csv", "c.txt")) == [
        "data.csv",
        "list.txt",
    ]
    assert steps(f"Read {A} and data.csv", ("data.csv",)) == [A, "data.csv"]
    for task in ("Read data.csv and tell me what is in it", "Tell me what is in data.csv"):
        assert steps(task, ("data.csv", "list.txt")) == ["data.csv"]
    assert steps("Read the file a.example/x.", ("a.example/x",)) == ["a.example/x"]


def test_files_are_read_when_nothing_else_is_named():
    """A task that names no page is about the files that came with it."""
    assert steps("Read the attached files", ("a.csv", "b.txt")) == ["a.csv", "b.txt"]
    assert steps(f"Open {A}", ("a.csv",)) == [A]


def test_the_csv_file_is_the_one_that_ends_so():
    """The name of a file type means the file of that type that came with the task."""
    files = ("config.json", "data.csv")

    assert steps("Read the CSV file", files) == ["data.csv"]
    assert steps("Read the csv files and the JSON file", files) == ["config.json", "data.csv"]


@pytest.mark.parametrize(
    ("wish", "rows"),
    [
        ("extract the top 5 rows", 5),
        ("give me the first three rows of the table", 3),
        ("return the first 1 row", 1),
        ("show the tables", None),
    ],
)
def test_the_first_rows_can_be_asked_for(wish, rows):
    """Of a page and of a file, by a figure or a word."""
    for plan in (read_plan(f"Open {A} and {wish}"), read_plan(f"Read a.csv and {wish}", ["a.csv"])):
        assert (plan.rows, plan.parts) == (rows, frozenset({Part.TABLES}))


@pytest.mark.parametrize(
    "task",
    [
        "Process the data in the CSV file",
        "Process the data and tell me the title",
        "Extract the top 5 rows by price",
        "Extract the last 5 rows",
        "Extract the top 0 rows",
        "Extract the first 2 rows, then extract the first 3 rows",
        "Process the CSV file and mail the top 5 rows",
    ],
)
def test_other_wishes_over_rows_are_refused(task):
    """A request that would need a model gives no plan."""
    with pytest.raises(CannotContinueError, match="is not understood"):
        read_plan(task, ["data.csv"])


@pytest.mark.parametrize(
    ("task", "answering"),
    [
        (f"Open {A} and tell me its title", [True]),
        (f"Open {A} and {B}", [True, True]),
        (f"Open {A} and click Prices", [False, True]),
        (f"Open {A} and tell me its title, then click Prices", [True, True]),
        (f"Open {A}, click Prices, then click Team and read", [False, False, True]),
        (f"Open {A} and click Prices, then open {B}", [False, True, True]),
        (f"Open the team page of {A}", [False, True]),
    ],
)
def test_pages_on_the_way_are_no_part_of_the_answer(task, answering):
    """A page that is left by a link answers only if the text asks about it."""
    assert [action.answers for action in read_plan(task).actions] == answering


@pytest.mark.parametrize(
    "task",
    [
        f"Open {A} and tell me its title",
        f"What is the title of {A}?",
        f"What's the page title at {A}",
        f"Give me the titles of {A} and {B}, please.",
        f"Go to {A}, click Prices and return just the title of the page",
        f"Open {A}, follow the link 'Price list', and tell me its title.",
    ],
)
def test_only_the_title_is_asked_for(task):
    """The usual words for a title request nothing else."""
    assert read_plan(task).parts == {Part.TITLE}


@pytest.mark.parametrize(
    ("task", "parts"),
    [
        (f"Open {A}", {Part.TEXT}),
        (f"Open {A} and read it", {Part.TEXT}),
        (f"Open {A} and tell me what it says", {Part.TEXT}),
        (f"Open {A} and give me its title and text", {Part.TITLE, Part.TEXT}),
        (f"Open {A} and list its links", {Part.LINKS}),
        (f"Open {A} and list the headlines", {Part.HEADINGS}),
        (f"Get the tables of {A}, please", {Part.TABLES}),
        (
            f"Open {A} and extract its title, its description and its links",
            {Part.TITLE, Part.DESCRIPTION, Part.LINKS},
        ),
    ],
)
def test_what_of_a_page_is_asked_for(task, parts):
    """The named parts, and the text where none is named."""
    assert read_plan(task).parts == parts


@pytest.mark.parametrize(
    ("task", "name", "what"),
    [
        (f"Open {A} and save the table as prices.csv", "prices.csv", "the table"),
        (f"Save the prices of {A} to a file called 'my-prices.v2.json'", "my-prices.v2.json", None),
        (f"Open {A}. Write it into the text file notes.txt.", "notes.txt", "it"),
        (f"Open {A} and store the result in Out.MD", "Out.MD", "the result"),
        (f"Open {A}, download the list and save it as l.csv", "l.csv", "it"),
        (f"Export {A} as a CSV file named x.csv", "x.csv", ""),
    ],
)
def test_output_files_are_understood(task, name, what):
    """The name of the file, and the words for its content."""
    saving = read_plan(task).saving

    assert (saving.name if saving else None) == name
    assert what is None or (saving is not None and saving.what == what)


def test_files_that_are_read_are_not_written():
    """A file that came with the task is no output file."""
    assert read_plan("Read the table in data.csv", ["data.csv"]).saving is None


def test_task_may_want_a_file_and_words():
    """Whether an answer in words is requested besides the file."""
    assert read_plan(f"Open {A} and save it as x.txt").only_saving
    assert not read_plan(f"Open {A}, save it as x.txt and tell me the title").only_saving
    assert not read_plan(f"Open {A}").only_saving


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("Tell me a joke", "names no page"),
        ("Save prices.csv", "names no page"),
        ("Click Prices", "names no page"),
        (f"Open {A} and log in", "log in"),
        (f"Open {A}. Sign up, then read", "Sign up"),
        (f"Open {A} and fill in the form", "fill in"),
        (f"Open {A}, type 'x' into the box", "type"),
        (f"Go to {A} and search for lamps", "search for"),
        (f"Open {A} and buy the lamp", "buy"),
        (f"Open {A} and save it as page.pdf", "page.pdf cannot be written"),
        (f"Open {A} and save the page as my results.csv", "names no file that can be written"),
        (f"Open {A} and save the page as 'my results.csv'", "names no file that can be written"),
        (f"Open {A} and follow the instructions", "“follow the instructions” is not understood"),
        (f"Open {A} and select the best price", "“select the best price” is not understood"),
        (f"Open {A}\nFrobnicate the widget", "“Frobnicate the widget” is not understood"),
        (f"Open {A} and list all prices", "“list all prices” is not understood"),
        (f"Open {A}. How many bicycles are there?", "“How many bicycles are there” is not"),
        (f"Open {A} and summarize it", "“summarize it” is not understood"),
        (f"Open {A} and tell me the first heading", "“tell me the first heading” is not"),
        (f"Summarise {A}", f"“Summarise {A}” is not understood"),
        (f"Who holds the title according to {A}?", "is not understood"),
        (f"Tell me about the team page of {A}", "is not understood"),
    ],
)
def test_what_is_no_step_line_is_refused(task, reason):
    """Tasks without a page, with forms, or with another type of file."""
    with pytest.raises(CannotContinueError, match=reason):
        read_plan(task)


@pytest.mark.parametrize(
    "task",
    [
        f"Open {A} and tell me how to log in",
        f"Open {A} and return name, type and price",
        f"Which one should I buy according to {A}",
    ],
)
def test_words_about_forms_are_not_forms(task):
    """Only an instruction to use a form is refused; a schema says what is to be read."""
    plan = read_plan(task, schema="{}")

    assert [action.action for action in plan.actions] == [OpenAddress(A)]


@pytest.mark.parametrize(
    "task", [f"Open {A}. Frobnicate the widget", f"Open {A}. Juggle, then tell me the price"]
)
def test_a_schema_explains_no_instruction(task):
    """It describes the answer, and not the other instructions of a sentence."""
    with pytest.raises(CannotContinueError, match="is not understood"):
        read_plan(task, schema="{}")


LONG = {
    "line breaks": f"Open {A}" + "\n" * 19_000 + "x",
    "blanks": f"Open {A}." + " " * 19_000 + "x",
    "blanks behind a verb": "Open x:" + " " * 19_000 + "x",
    "addresses": "Open " + "a.b/ " * 3_900,
    "links": f"Open {A}, " + "click a, " * 2_000,
    "words for a file": f"Open {A} and save " + "as a file " * 1_900,
    "opened quotations": "“" * 19_000,
    "counted lines": "1. a\n" * 3_900,
}


@pytest.mark.parametrize("task", LONG.values(), ids=LONG)
def test_a_long_text_is_planned_or_refused(task):
    """No text of 20 KB blocks the server, whatever it contains."""
    with contextlib.suppress(CannotContinueError):
        assert read_plan(task).actions


def test_a_text_that_is_too_long_is_refused():
    """A text longer than 20,000 characters is not read by rules; the reason says so."""
    task = f"Open {A} and tell me its title".ljust(20_000)

    assert read_plan(task).actions
    with pytest.raises(CannotContinueError, match=r"has 20,001 characters\. .* up to 20,000"):
        read_plan(f"{task} ")


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [A, B, "open", "click", "the", "page", "link", "'x", "y'", "and", "then", "save", "as",
             "t.csv", ",", ".", "\n", "of", "at", "title", "follow", "find", "it", "“", "”", "\0"]
        ),
        max_size=30,
    ),
)  # fmt: skip
def test_any_task_is_planned_or_refused(pieces):
    """For any sequence of words there is a plan that begins with a page, or a refusal."""
    try:
        plan = read_plan(" ".join(pieces), ["t.csv"] if "as" in pieces else [])
    except CannotContinueError:
        return
    assert not isinstance(plan.actions[0].action, Click)
    assert plan.actions[-1].answers
