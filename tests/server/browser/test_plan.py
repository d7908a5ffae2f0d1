"""The plan of a browser task, made from its words alone: no browser is needed for it."""

import contextlib

import pytest

from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    Download,
    Fill,
    GoBack,
    OpenAddress,
    OpenFile,
    Part,
    Plan,
    PressKey,
    Scroll,
    Submit,
    TakePicture,
    Tick,
    Upload,
    Wait,
    WaitFor,
    goal_of,
)
from browser_use_async.server.executors.instructions.plan import read_plan
from browser_use_async.server.executors.protocol import CannotContinueError

SECRETS = ["shop_password"]
FILES = ("cat.png", "order.csv")


def _plan(text: str) -> Plan:
    return read_plan(text, FILES, SECRETS, in_browser=True)


def _deeds(text: str) -> list[Action]:
    """The actions after an opening."""
    actions = _plan(f"Open https://shop.example/ {text}").actions
    actions = [action.action for action in actions]
    assert actions[0] == OpenAddress("https://shop.example/")
    return actions[1:]


LONG = {
    "Fill": "Fill" + " " * 19_000 + "x",
    "Type": "Type" + "\t " * 9_500 + "x",
    "Upload": "Upload" + " \u00a0" * 9_500,
    "line breaks": "\n" * 19_000 + "x",
    "field words": "fill " + "the field " * 1_900 + "with x",
    "opened quotations": "“" * 6_000 + "„" * 6_000 + "«" * 6_000,
    "addresses": "a.b/ " * 3_800,
    "instructions": "go back\n" * 2_300,
}


@pytest.mark.long
@pytest.mark.parametrize("said", LONG.values(), ids=LONG)
def test_a_long_text_is_planned_or_refused(said):
    """No text of 20 KB blocks the server, whatever it contains."""
    with contextlib.suppress(CannotContinueError):
        assert _plan(f"Open https://shop.example/. {said}").actions


def test_a_text_that_is_too_long_is_refused():
    """A text longer than 20,000 characters is not read by rules; the reason says so."""
    said = "Open https://shop.example/. Fill Name with Ada".ljust(20_000)

    assert _plan(said).actions
    with pytest.raises(CannotContinueError, match="up to 20,000 is read"):
        _plan(f"{said} ")


def test_blanks_inside_of_quotations_are_kept():
    """Blanks between words count once, those of a value are unchanged."""
    assert _deeds(' and  fill\t  Name   with  "Ada  Countess"   ') == [
        Fill("Name", "Ada  Countess")
    ]
    assert _deeds("and fill the “First  name”  input  field with A") == [Fill("First name", "A")]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("fill Name with Ada", Fill("Name", "Ada")),
        ('fill Name with " Ada "', Fill("Name", " Ada ")),
        ('fill in the "Your name" field with "Ada, Countess"', Fill("Your name", "Ada, Countess")),
        ("fill out the email box with a@b.example", Fill("email", "a@b.example")),
        ("type Ada into the name field", Fill("name", "Ada")),
        ("type 'a and click b' in Search", Fill("Search", "a and click b")),
        ("enter “x with y” as title", Fill("title", "x with y")),
        ("set the Quantity to 3", Fill("Quantity", "3")),
        ("select Blue in the Colour menu", Fill("Colour", "Blue")),
        ("choose “A repair” from topic", Fill("topic", "A repair")),
        ("fill Password with shop_password", Fill("Password", secret="shop_password")),
        (
            "fill Password with the secret shop_password",
            Fill("Password", secret="shop_password"),
        ),
        ("type {{shop_password}} into it", Fill("it", secret="shop_password")),
        ("tick the box I agree", Tick("I agree", on=True)),
        ("check the “I agree” checkbox", Tick("I agree", on=True)),
        ("uncheck Newsletter", Tick("Newsletter", on=False)),
        ("press Enter", PressKey("Enter")),
        ("hit the escape key", PressKey("Escape")),
        ("submit the form", Submit()),
        ("upload cat.png", Upload("cat.png")),
        ("attach order.csv to the Order field", Upload("order.csv", "Order")),
        ("wait for “Thank you”", WaitFor("Thank you")),
        ("wait until Ready appears", WaitFor("Ready")),
        ("wait 2 seconds", Wait(2)),
        ("wait 1.5 min", Wait(90)),
        ("scroll down", Scroll("down")),
        ("scroll to the bottom of the page", Scroll("bottom")),
        ("go back", GoBack()),
        ("take a screenshot", TakePicture("screenshot.png")),
        ("take a screenshot of the page as home.png", TakePicture("home.png")),
    ],
)
def test_instructions(said, meant):
    """Each instruction is understood in its usual phrasings, in lists and sentences."""
    assert _deeds(f"and {said}.") == [meant]
    assert _deeds(f"\n- {said[0].upper()}{said[1:]}") == [meant]
    assert _deeds(f"\n12. Then, please {said}\n") == [meant]


def test_instructions_beside_those_of_the_reader():
    """In a task with a browser's words, links and downloads are taken literally as well."""
    text = 'and click "Service plans", then download the price list. Scroll up. Tap Contact'

    assert _deeds(text) == [
        Click("Service plans"),
        Download("price list"),
        Scroll("up"),
        Click("Contact"),
    ]


def test_the_answer_is_read_where_it_is_asked_for():
    """A question is about the page on which it is asked; without one it is the last page."""
    actions = [
        (action.action, action.answers)
        for action in _plan("Open a.example/b. Tell me it. Go back").actions
    ]
    last = [action.answers for action in _plan("Open a.example/b. Scroll down. Go back").actions]
    named = _plan(
        "Open a.example/b. Scroll down. Tell me the titles of b.example/x and c.example/x"
    )
    asked = _plan("Open a.example/b. Go back. Tell me the title")
    saved = _plan("Open a.example/b. Scroll down. Save the table as x.csv")

    assert actions == [(OpenAddress("https://a.example/b"), True), (GoBack(), False)]
    assert last == [False, False, True]
    assert [action.answers for action in named.actions] == [False, False, True, True]
    assert asked.parts == {Part.TITLE}
    assert saved.saving is not None
    assert (saved.saving.name, saved.only_saving) == ("x.csv", True)


def test_words_without_a_browser_make_the_same_plan():
    """A task that needs no browser has the plan that the executor `plain` follows."""
    plan = _plan("Open https://shop.example/, follow the Prices link and list the tables")
    file = _plan("Open order.csv and tell me the text")

    assert [action.action for action in plan.actions] == [
        OpenAddress("https://shop.example/"),
        Click("Prices"),
    ]
    assert [action.action for action in file.actions] == [OpenFile("order.csv")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Open a.example/ and juggle it. Scroll down", "“Open a.example/ and juggle it” is not"),
        ("Open a.example/. Juggle. Scroll down", "“Juggle” is not understood, since"),
        ("Open a.example/. Fill everything. Scroll down", "“Fill everything” is not understood"),
        ("Open a.example/. Scroll down. Tell me the weather", "“Tell me the weather” is not und"),
        ("Open a.example/. Scroll down. Extract “the price”", "“Extract “the price”” is not und"),
        ("Open a.example/. Go back. Save it as my own.csv", "names no file that can be written"),
        ("Open a.example/ and frobnicate the widget", "and frobnicate the widget” is not"),
        ("Wait for rain at a.example/", "does not begin with a page"),
        (
            "Log in to a.example/",
            "“Log in to a.example/” is not understood, since",
        ),
        ("Open a.example/. Type the secret pin in PIN", "no secret “pin”. Its secrets: shop_pass"),
        ("Open a.example/. Upload dog.png", "No file “dog.png” came with the task. Its files: cat"),
        ("Open a.example/. Wait 10 minutes", "longer than 300 s"),
        ("Open a.example/. Take a screenshot as x.jpg", "pictures are .png"),
    ],
)
def test_what_is_not_understood(text, reason):
    """A sentence that is not understood is named, with the instructions that would be."""
    with pytest.raises(CannotContinueError) as caught:
        _plan(text)

    assert reason in str(caught.value)


def test_goals_show_no_secret():
    """The goal of a step has the name of a secret; its value is in no plan."""
    actions = _deeds("and type shop_password into Password. Fill Name with Ada")

    assert [goal_of(action) for action in actions] == [
        "Fill “Password” with the secret shop_password",
        "Fill “Name” with “Ada”",
    ]


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("clik Prices", "click TEXT"),
        ("fill everything", "fill FIELD with VALUE"),
        ("select the best", "select VALUE in FIELD"),
        ("vist the shop", "open ADDRESS"),
        ("scrol down", "scroll down"),
        ("export all", "save it as NAME.csv"),
        ("click “Prices” on the left", "click TEXT"),
    ],
)
def test_a_refusal_names_the_nearest_instruction(said, form):
    """By the verb, spelled correctly or nearly so."""
    with pytest.raises(CannotContinueError, match=f"The nearest instruction is: {form}"):
        _plan(f"Open a.example/. {said}")


def test_a_verb_like_no_other_has_no_nearest_instruction():
    """The refusal then has only the list of instructions."""
    with pytest.raises(CannotContinueError, match=r"say it in steps\. What is understood: open"):
        _plan("Open a.example/. Xyzzy")


def test_private_characters_of_a_text_stand_for_nothing():
    """A private character in the text is not mistaken for a quotation or an address."""
    assert _deeds("and fill Name with “\U000f0000\U00100001”") == [Fill("Name", "\ufffd\ufffd")]
