"""The script of a recorded run."""

import attrs
import pytest

from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    Download,
    Fill,
    OpenAddress,
    Scroll,
    TakePicture,
)
from browser_use_async.server.executors.scripts.recorder import (
    Note,
    NotRecordableError,
    Run,
    SeenDialog,
    SeenRequest,
    Snapshot,
    record,
)
from browser_use_async.server.executors.scripts.script import Description, Effect, ScriptStep

URL = "https://shop.example/"
FRAME = "https://pay.example/"


def page(*texts: str) -> Snapshot:
    """A page with these texts."""
    return Snapshot(URL, ["body", {}, [["p", {}, [each]] for each in texts]])


def run_of(
    action: Action,
    element: Description | None = None,
    after: Snapshot | None = None,
    *,
    requests: tuple[SeenRequest, ...] = (),
    dialogs: tuple[SeenDialog, ...] = (),
    inputs: dict[str, str] | None = None,
) -> Run:
    """A run that opens a page and does one action on it, at the moment 2."""
    notes = [
        Note(1.0, Snapshot("about:blank", ["body", {}, []]), OpenAddress(URL)),
        Note(2.0, page("a"), action, element),
    ]
    return Run(notes, requests, after or page("a"), "", inputs or {}, dialogs=dialogs)


def second_step(run: Run) -> ScriptStep:
    """The step of that action."""
    return record("shop", run).steps[1]


def test_what_a_page_asked_is_kept_with_its_inputs():
    """A short input is replaced, too, if it is there once."""
    dialogs = (SeenDialog(2.5, "confirm", "Book Attic for 2?"), SeenDialog(2.6, "alert", "Thanks"))
    booked = run_of(
        Click("Book"), Description("button", "Book"), dialogs=dialogs,
        inputs={"room": "Attic", "guests": "2"},
    )  # fmt: skip
    assert second_step(booked).confirms == ("Book {room} for {guests}?",)
    twice = (SeenDialog(2.5, "confirm", "Book 2 rooms for 2?"),)
    kept = run_of(
        Click("Book"), Description("button", "Book"), dialogs=twice, inputs={"guests": "2"}
    )
    assert second_step(kept).confirms == ("Book 2 rooms for 2?",)


@pytest.mark.parametrize(
    ("field", "button", "effect"),
    [
        (Description(type="password"), Description("button", "Log in"), Effect.SIGNS_IN),
        (Description(type="text"), Description("button", "Log in"), Effect.CHANGES),
        (Description(type="password"), Description("button", "Pay $9 now"), Effect.CHANGES),
        (Description(type="password"), Description("button", "OK", form="Send"), Effect.CHANGES),
        (Description(type="password"), Description("button", "OK", frame=FRAME), Effect.CHANGES),
    ],
)
def test_only_a_password_signs_in(field, button, effect):
    """A form with another secret may pay, and so may a button with such words."""
    sent = SeenRequest(3.5, "POST", f"{URL}in", "document")
    first = run_of(Fill("Code", secret="pin"), field)
    notes = (*first.notes, Note(3.0, page("a"), Click(button.name), button))
    script = record("shop", attrs.evolve(first, notes=notes, requests=(sent,)))
    assert script.steps[2].effect is effect


@pytest.mark.parametrize(
    ("url", "element", "after"),
    [
        (FRAME, Description("button", "Go on", frame=FRAME), page("b")),
        (URL, Description("button", "Go on"), Snapshot(FRAME, ["body", {}, []])),
    ],
    ids=["in a frame of another site", "leads to another site"],
)
def test_what_is_sent_from_the_site_of_a_step_changes_something(url, element, after):
    """Whichever site the page shows afterwards."""
    sent = SeenRequest(2.5, "POST", url, "document")
    step = second_step(run_of(Click("Go on"), element, after, requests=(sent,)))
    assert step.effect is Effect.CHANGES


def test_a_frame_is_named_by_its_host():
    """Its query is not kept."""
    step = second_step(run_of(Click("A"), Description("link", "A", frame=f"{FRAME}7?token=b#c")))
    assert step.element is not None
    assert step.element.frame == "https://pay.example/*"


def test_a_page_without_a_host_is_not_recorded():
    """No step could be bound to it."""
    run = run_of(Click("A"), Description("link", "A", frame="about:srcdoc"))
    with pytest.raises(NotRecordableError, match="a page or a frame without an address"):
        record("shop", run)


def test_a_picture_of_an_address_that_is_an_input_goes_with_it():
    """A step that uses an element stays on the site that was recorded."""
    inputs = {"address": f"{URL}?a=b"}
    assert second_step(run_of(TakePicture("a.png"), inputs=inputs)).page == "{address}"
    assert second_step(run_of(Click("A"), Description("link", "A"), inputs=inputs)).page == URL


def test_a_page_that_asks_for_a_text_is_not_recorded():
    """No step of a script would type it."""
    dialogs = (SeenDialog(2.5, "prompt", "Your name?"),)
    with pytest.raises(NotRecordableError, match="asked for a text"):
        record("shop", run_of(Click("Book"), Description("button", "Book"), dialogs=dialogs))


def test_a_click_that_brought_a_file_is_a_download():
    """A play without the file is refused."""
    file = SeenRequest(2.5, "GET", f"{URL}report.csv", "document", is_file=True)
    step = second_step(run_of(Click("Report"), Description("link", "Report"), requests=(file,)))
    assert step.action == Download("Report")
    assert not step.causes


def test_a_list_that_went_on_is_scrolled_to_its_end():
    """As often as new entries appear."""
    more = SeenRequest(2.5, "GET", f"{URL}more", "fetch")
    step = second_step(run_of(Scroll("down"), after=page("a", "b"), requests=(more,)))
    assert (step.action, step.repeats, step.redraws) == (Scroll("bottom"), True, True)
    assert second_step(run_of(Scroll("down"))).action == Scroll("down")


def test_the_options_of_a_list_are_no_inputs():
    """They are the same, whichever is chosen."""
    element = Description("combobox", "Room", options=("Attic", "Tower"))
    step = second_step(run_of(Fill("Room", "Attic"), element, inputs={"room": "Attic"}))
    assert step.action == Fill("Room", "{room}")
    assert step.element is not None
    assert step.element.options == ("Attic", "Tower")


def test_a_run_that_did_nothing_is_not_recorded():
    """An agent may answer without a step in its browser."""
    blank = Snapshot("about:blank", ["body", {}, []])
    with pytest.raises(NotRecordableError, match="does not begin with a page that it opens"):
        record("shop", Run([], (), blank, "7"))
