"""The text of a script: it is read as it was written, and errors name the line."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.server.executors.answers.spelling import DATES, NUMBERS, Spelling
from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    Download,
    Fill,
    GoBack,
    OpenAddress,
    PressKey,
    Scroll,
    Submit,
    TakePicture,
    Tick,
    Upload,
    Wait,
    WaitFor,
)
from browser_use_async.server.executors.scripts.notation import ScriptRefusedError, parse, write
from browser_use_async.server.executors.scripts.script import (
    Description,
    Effect,
    Script,
    ScriptStep,
    fill_in,
    placeholders,
    put_inputs,
)

OFFICE = """\
script office
inputs: company
secrets: password
answer: step 4, end
numbers: 1,250.5 or 1'250.5
dates: %d %b %Y
same as: company.name {company}

open https://registry.example/search
fill "Password" with the secret password
    role: textbox
    name: Password
    type: password
    page: https://registry.example/search
click "Log in"
    role: button
    name: Log in
    page: https://registry.example/search
    effect: signs in
fill "Company name" with "{company}"
    role: textbox
    name: Company name
    label: Company name
    form: Search
    page: https://registry.example/search
press Enter
    page: https://registry.example/search
    leads to: https://registry.example/results
    causes: GET /results
click "{company}"
    role: link
    name: {company}
    heading: Results
    page: https://registry.example/results
    redraws: yes
    repeats: yes
click "Order the report"
    role: button
    name: Order the report
    page: https://registry.example/companies/*
    effect: changes
"""


def test_a_script_is_written_as_it_was_read():
    """The text is the script: nothing is lost between the two."""
    script = parse(OFFICE)
    assert write(script) == OFFICE
    assert [type(each.action) for each in script.steps] == [
        OpenAddress, Fill, Click, Fill, PressKey, Click, Click,
    ]  # fmt: skip
    assert script.steps[1].action == Fill("Password", secret="password")
    assert script.steps[2].effect is Effect.SIGNS_IN
    assert script.steps[6].effect is Effect.CHANGES
    assert script.echoes == {"company.name": "{company}"}


SIGN_IN = """\
script a
secrets: b
open https://a.example/
fill “Password” with the secret b
  type: password
  page: https://a.example/
click “Log in”
  page: https://a.example/
"""

_line = st.text(st.characters(exclude_categories=("C", "Z")), max_size=30)
_words = st.text(string.ascii_letters + "äß\"“'«`:.,;{}#-", min_size=1, max_size=20).map(
    lambda each: f"x{each}"
)
_address = st.sampled_from(
    ["https://a.example/", "https://a.example/b?c=d#e", "http://127.0.0.1:8/{company}", "{company}"]
)
_value = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20) | st.sampled_from(
    ['a\nb\t“"', " a ", " "]
)
_actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(OpenAddress, _address),
    st.builds(Fill, st.just("Name"), _value.filter(lambda each: "{" not in each)),
    st.builds(Fill, st.just("Name"), st.just("{company}")),
    st.builds(Fill, st.just("Password"), secret=st.just("password")),
    st.builds(Click, st.sampled_from(["Log in", "Buy 3, please", "a.b. c", "the “best”"])),
    st.builds(Download, st.just("Price list")),
    st.builds(Tick, st.just("I agree"), st.booleans()),
    st.builds(PressKey, st.sampled_from(["Enter", " ", "F5", "ArrowUp"])),
    st.just(Submit()),
    st.just(GoBack()),
    st.builds(Upload, st.just("bill.pdf"), st.sampled_from(["", "Attachment"])),
    st.builds(WaitFor, st.just("Thank you, Ada. Now click")),
    st.builds(Wait, st.sampled_from([1.0, 2.5])),
    st.builds(Scroll, st.sampled_from(["down", "up", "top", "bottom"])),
    st.builds(TakePicture, st.just("home.png")),
)
_texts = _value.map(lambda each: " ".join(each.split()))
_descriptions = st.builds(
    Description,
    **dict.fromkeys(["role", "name", "label", "test_id", "href", "item"], _texts),
    frame=st.sampled_from(["", "https://pay.example/*/form"]),
    options=st.lists(_texts, max_size=3).map(tuple),
)
_steps = st.builds(
    ScriptStep,
    _actions,
    page=st.sampled_from(["https://a.example/", "http://127.0.0.1:8/b/*/c"]),
    element=st.none() | _descriptions.filter(lambda each: each != Description()),
    effect=st.sampled_from([Effect.READS, Effect.CHANGES]),  # a sign-in has its own step before
    leads_to=_texts,
    causes=st.lists(_texts.filter(bool), max_size=2).map(tuple),
    redraws=st.booleans(),
    repeats=st.booleans(),
)
_spelling = st.builds(
    Spelling,
    st.lists(st.sampled_from([*NUMBERS]), min_size=1, unique=True).map(tuple),
    st.lists(st.sampled_from(DATES), min_size=1, unique=True).map(tuple),
)


@given(steps=st.lists(_steps, max_size=4), spelling=_spelling)
def test_any_script_is_read_as_it_was_written(steps, spelling):
    """Quotation marks, colons, line ends and braces in texts of pages and tasks do not matter."""
    first = ScriptStep(OpenAddress("https://a.example/"))
    script = Script(
        "any", (first, *steps), ("company",), ("password",), ("end",), spelling,
        {"a.price": "{company}", "": "{company} Ltd"}, ("summary",),
    )  # fmt: skip
    text = write(script)
    assert parse(text) == script
    assert write(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: a script begins with its name"),
        ("open https://a.example/", "line 1: a script begins with its name"),
        ("script a b\nopen https://a.example/", "line 1: a name has up to 64"),
        ("script a\nclick “Buy”", "the first step of a script opens a page"),
        ("script a\nopen https://a.example/\nclik “Buy”", "line 3: “clik “Buy”” is not understood"),
        ("script a\nopen https://a.example/\nclik “Buy”", "nearest instruction is: click TEXT"),
        ("script a\nopen https://a.example/\n  rol: link", "line 3: nothing is called “rol” here."),
        ("script a\nopen https://a.example/\n  rol: link", "The nearest is: role"),
        ("script a\n  role: link", "line 2: an indented line says something of the step above"),
        ("script a\nopen https://a.example/\n  effect: kills", "line 3: an effect is one of reads"),
        ("script a\nopen https://a.example/\n  repeats: no", "line 3: repeats: is yes"),
        ("script a\nopen https://a.example/\n  options: 5", "line 3: options are a list, such as"),
        ("script a\nopen https://a.example/{b}", "“{b}” is none of its inputs"),
        ("script a\ninputs: b c\nopen https://a.example/", "line 2: “b c” is no name of an input"),
        (
            "script a\nopen https://a.example/\nfill “Password” with “tuesday”\n  type: password",
            "line 3: a password stands here by its value",
        ),
        (
            "script a\nopen https://a.example/\nclick “Next”\n  page: /list",
            "line 4: page: is an address with its host, such as",
        ),
        (
            "script a\nopen https://a.example/\nclick “Next”\n  frame: /list",
            "line 4: frame: is an address with its host, such as",
        ),
        (
            "script a\nopen https://a.example/\nclick “Next”\n  page: https://*.example/list",
            "line 4: page: is an address with its host, such as",
        ),
        (
            "script a\nsecrets: b\nopen https://a.example/\nfill “Name” with the secret b",
            "line 4: a step that types a secret or changes something names the host of its page",
        ),
        (
            ("script a\ninputs: h\nsecrets: pw\nopen https://a.example/\n"
            "fill “Password” with the secret pw\n  page: https://{h}/login"),
            ("line 5: a step that types a secret or changes something names the host of its page, "
            "and of its frame, without an input in it"),
        ),
        (
            ("script a\ninputs: h\nsecrets: pw\nopen https://a.example/\n"
            "fill “Password” with the secret pw\n  page: https://a.example/\n"
            "  frame: https://a.example:{h}/login"),
            ("line 5: a step that types a secret or changes something names the host of its page, "
            "and of its frame, without an input in it"),
        ),
        (
            "script a\nopen https://a.example/\nclick “Next”\n  effect: changes\n  page: {b}",
            "line 3: a step that types a secret or changes something names the host of its page",
        ),
        (
            f"{SIGN_IN}  name: Pay now\n  effect: signs in",
            "line 7: only the step behind a field of the type password signs in",
        ),
        (
            f"{SIGN_IN}  name: Next\n  form: Order and pay\n  effect: signs in",
            "line 7: only the step behind a field of the type password signs in",
        ),
        (
            f"{SIGN_IN.replace('type: password', 'type: text')}  name: Log in\n  effect: signs in",
            "line 7: only the step behind a field of the type password signs in",
        ),
        (
            "script a\nopen https://a.example/\nfill “Name” with {b}",
            "line 3: The task has no secret “b”",
        ),
        ("script a\nanswer: step 9\nopen https://a.example/", "answer: “step 9” is no page"),
        (
            'script a\nopen https://a.example/\nread b\n  from: term "c" as text',
            "line 4: nothing is called “from” here",
        ),
        (
            "script a\nnumbers: 1.250,0\nopen https://a.example/",
            "line 2: numbers: “1.250,0” is none of the known words",
        ),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_number(text, why):
    """The reason has the texts that are allowed there."""
    with pytest.raises(ScriptRefusedError) as refused:
        parse(text)
    said = str(refused.value)
    assert why in said
    assert said.startswith(why) or not why.startswith("line")


def test_inputs_are_put_in_place_of_placeholders_and_back():
    """A value that was typed or named in the first run is an input of the next."""
    inputs = {"company": "Blue Mill", "no": "7"}
    step = ScriptStep(
        Fill("Search", "7"),
        element=Description(name="All of Blue Mill, 7 offices", item="Blue Mills"),
    )
    recorded = put_inputs(step, inputs)
    assert recorded.element == Description(name="All of {company}, 7 offices", item="Blue Mills")
    assert recorded.action == Fill("Search", "7")
    assert put_inputs(step.action, inputs, shortest=1) == Fill("Search", "{no}")
    assert placeholders(recorded) == {"company"}
    played = fill_in(recorded, {"company": "Old Mill"})
    assert played.element == Description(name="All of Old Mill, 7 offices", item="Blue Mills")
