"""Whole tasks on the example site, in a real browser."""

import attrs
import pytest
from aiohttp import web

from browser_use_async.server.records import Finished
from browser_use_async.server.storage.pictures import WHITE_PAGE
from tests.server.browser.pages import png_size, serve_pages
from tests.server.browser.running import browse
from tests.server.plain.running import Run, properties
from tests.support.wire import bound_socket

FORM = """
Open {site}/
Click "Service plans".
Download the price list
Click Contact
1. Fill "Your name" with Ada Lovelace
2. Fill email with ada@example.org, and select "A repair" in the list What is it about
3. Fill Your message with "The bell. It rings."
Click Send
Wait for "Thank you, Ada"
Take a screenshot as thanks.png
Extract
"""


def _pictures(done: Run) -> list[bytes]:
    pictures = [step.screenshot for step in done.steps]
    return [each for each in pictures if each is not None]


async def test_clicks_fills_downloads_and_answers(chromium, site):
    """Links are clicked, a form is filled in, a file is downloaded, the answer has a schema."""
    sent = properties(name={"type": "string"}, topic={"type": "string"}, message={"type": "string"})
    done = await browse(chromium, FORM.format(site=site), schema=sent, viewport=(800, 600))

    assert done.value == {
        "name": "Ada Lovelace",
        "topic": "A repair",
        "message": "The bell. It rings.",
    }
    assert list(done.files) == ["price-list.csv", "thanks.png"]
    assert done.files["price-list.csv"].startswith(b"Repair,")
    assert png_size(done.files["thanks.png"]) == (800, 600)
    assert done.steps[0].next_goal == f"rule-based Chromium: open {site}/"
    assert done.steps[0].evaluation_previous_goal == "None - this is the first step."
    assert done.steps[-1].next_goal == "Compose the answer"
    assert done.steps[-1].url.startswith(f"{site}/thanks.html?name=Ada+Lovelace")
    pictures = _pictures(done)
    assert len(pictures) == len(done.steps)
    assert {png_size(each) for each in pictures} == {(800, 600)}
    # The picture after each visible action differs from the one before.
    assert len(set(pictures)) >= 8


async def test_a_plan_that_needs_no_browser_is_followed(chromium, site):
    """A task that the executor `plain` could take is understood as there, and links are clicked."""
    done = await browse(chromium, f"Open {site}/, follow the Bicycles link and tell me the title")

    assert done.output == "Bicycles | Tern & Tide Bicycles"
    assert [step.url for step in done.steps] == [
        f"{site}/",
        f"{site}/products.html",
        f"{site}/products.html",
    ]


async def test_a_link_to_a_file_is_downloaded_and_read(chromium, site):
    """A link that the browser does not show is an output file, and its content is the answer."""
    done = await browse(chromium, f"Open {site}/pricing.html and click the price list. Tell me it.")

    assert "Repair | Price" in done.output
    assert list(done.files) == ["price-list.csv"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/pdf", b"%PDF-1.7"),
        ("image/png", WHITE_PAGE),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><text y='20'>hi</text></svg>"),
    ],
)
async def test_a_page_without_a_tree_says_what_it_is(chromium, kind, body):
    """A PDF or a picture is shown by the browser, and cannot be read."""
    file = web.Response(body=body, content_type=kind)
    async with serve_pages({"/": "<a href=/file>Prices</a>", "/file": file}) as served:
        opened = await browse(chromium, f"Open {served.url}/file and tell me the text")
        clicked = await browse(chromium, f"Open {served.url}/, click Prices, tell me the text")

    reason = f"{served.url}/file could not be read: it is {kind}, and only text can be read."
    assert opened.reason == reason
    assert clicked.reason == reason


async def test_xml_is_read_as_text(chromium):
    """The browser makes no page of it."""
    file = web.Response(body=b"<a><b>Tea</b><b>9</b></a>", content_type="application/xml")
    async with serve_pages({"/": file}) as served:
        done = await browse(chromium, f"Open {served.url}/ and tell me the text")

    assert "Tea" in done.output


@pytest.mark.torture
async def test_tables_are_saved(chromium, site):
    """Tables can be saved as without a browser."""
    done = await browse(chromium, f"Open {site}/pricing.html and save the plans as plans.csv")

    assert done.files["plans.csv"].startswith(b"Plan,Price per month")


async def test_what_scripts_make_is_read(chromium):
    """A page that is empty without its script is read as a person sees it."""
    script = "setTimeout(() => { document.body.innerHTML = '<h1>Late</h1><p>Made here</p>' }, 50)"
    async with serve_pages({"/": f"<title>Made</title><script>{script}</script>"}) as pages:
        done = await browse(chromium, f"Open {pages.url}/. Wait for made here. Extract.")

    assert done.output == "Made\n\n# Late\nMade here"


@pytest.mark.torture
async def test_what_cannot_be_done_fails_with_the_reason(chromium, site):
    """The reason is a sentence: an element does not exist, or does not accept the input."""
    with bound_socket() as unused:
        port = unused.getsockname()[1]
        reasons = {
            f"Open {site}/. Fill Name with Ada": "has no field called “Name”. Its fields: none.",
            f"Open {site}/. Go back": f"There is no page before {site}/.",
            f"Open {site}/contact.html. Select Swans in the list topic": "“Swans”. It has: A new",
            f"Open {site}/contact.html. Upload cat.png": f"{site}/contact.html has no field for",
            f"Open {site}/nowhere.html": "/nowhere.html answered 404 Not Found.",
            f"Open http://127.0.0.1:{port}/": f"opened: Nothing answers at 127.0.0.1:{port}.",
            "Open http://nowhere.invalid/": "The host name nowhere.invalid is not known.",
        }
        files = {"cat.png": b"cat"}
        ends = {task: (await browse(chromium, task, files=files)).reason for task in reasons}

    assert {task: reasons[task] in end for task, end in ends.items()} == dict.fromkeys(ends, True)


async def test_failure_has_a_picture(chromium, site):
    """The last picture shows the page on which the task failed."""
    done = await browse(chromium, f"Open {site}/. Click Nowhere. Scroll down.")

    assert "Nowhere" in done.reason
    assert not isinstance(done.end, Finished)
    assert png_size(done.end.screenshot or b"") == (1280, 960)
    assert done.end.url == f"{site}/"


@pytest.mark.torture
async def test_highlights_and_pictures_can_be_switched_off(chromium, site):
    """Outlines are drawn on the pictures by default; both can be switched off."""
    task = f"Open {site}/ and tell me the title"
    outlined, plain = (
        await browse(chromium, task),
        await browse(chromium, task, highlight_elements=False),
    )
    none = await browse(chromium, task, takes_screenshots=False)

    assert _pictures(outlined)[0] != _pictures(plain)[0]
    assert _pictures(none) == []


@pytest.mark.parametrize("button", ["button", "label"])
async def test_files_are_offered_to_file_inputs(chromium, button):
    """A file of the task is given to a field by name, or to a button that requests files."""
    show = (
        "document.title = 'Got ' + [...this.files].map((file) => file.name + file.size);"
        "document.body.append(document.title)"
    )
    page = (
        f'<label for="photo">Your photo</label><input type="file" id="photo" onchange="{show}">'
        "<button onclick=\"document.getElementById('photo').click()\">Choose</button>"
    )
    how = {
        "label": "Upload cat.png to Your photo.",
        "button": "Upload cat.png to Choose. Wait for Got cat.",
    }[button]
    async with serve_pages({"/": page}) as pages:
        task = f"Open {pages.url}/. {how} Tell me the title"
        done = await browse(chromium, task, files={"cat.png": b"cat"})

    assert done.output == "Got cat.png3"


async def test_new_windows_boxes_and_keys(chromium):
    """A link may open a window, message boxes are answered, and keys are pressed."""
    first = (
        '<a href="/second" target="_blank">Second</a>'
        '<input type="checkbox" id="c"><label for="c">Agree</label>'
    )
    second = (
        "<title>Second</title><form action='/third'><input name=q placeholder=Search></form>"
        "<script>setTimeout(() => alert('Mind the gap'), 10)</script>"
    )
    third = "<title>Third</title>done"
    async with serve_pages({"/": first, "/second": second, "/third": third}) as pages:
        task = "Tick Agree. Click Second. Fill Search with x. Press Enter. Tell me the title"
        done = await browse(chromium, f"Open {pages.url}/. {task}")

    assert done.output == "Third"
    said = [step.evaluation_previous_goal for step in done.steps]
    assert any("The page said: “Mind the gap”." in each for each in said)


async def test_a_window_that_closes_itself_leads_back(chromium):
    """A task that waits meanwhile continues in the window below it."""
    first = "<title>First</title><a href='/second' target='_blank' rel='opener'>Second</a>"
    second = "<title>Second</title><script>setTimeout(close, 1000)</script>"
    async with serve_pages({"/": first, "/second": second}) as pages:
        task = "Click Second. Wait 2 s. Tell me the title"
        done = await browse(chromium, f"Open {pages.url}/. {task}")

    assert done.output == "First"


async def test_windows_that_close_while_they_are_looked_at(chromium):
    """A command to a closed window goes to the one below it."""
    first = (
        "<title>First</title><script>let made = 0, other; setInterval(() => {"
        "if (made < 40 && (!other || other.closed)) made++, other = open('/second') }, 5)</script>"
    )
    second = "<title>Second</title><script>setTimeout(close, 30)</script>"
    async with serve_pages({"/": first, "/second": second}) as pages:
        done = await browse(chromium, f"Open {pages.url}/. {8 * 'Wait 1 s. '}Tell me the title")

    assert done.output == "First"
    assert pages.asked.count("/second") == 40


async def test_steps_are_limited(chromium, site):
    """`max_agent_steps` is respected."""
    done = await browse(chromium, f"Open {site}/. Click Contact. Scroll down.", max_agent_steps=2)

    assert len(done.steps) == 2
    assert "more than the 2 steps" in done.reason


async def test_cookies_come_and_go(chromium):
    """A task's cookies can be given to a later one, which begins without any otherwise."""
    async with serve_pages({"/": "<title>Shop</title>"}) as pages:
        first = await browse(chromium, f"Open {pages.url}/?cookie=yes and tell me the title")
        assert isinstance(first.end, Finished)
        kept = first.end.cookies
        await browse(chromium, f"Open {pages.url}/ and tell me the title")
        await browse(chromium, f"Open {pages.url}/ and tell me the title", cookies=kept)
        pages_cookies = [
            each for path, each in zip(pages.asked, pages.cookies, strict=True) if path == "/"
        ]

    assert [(each["name"], each["value"]) for each in kept] == [("visited", "yes")]
    assert pages_cookies == [{}, {}, {"visited": "yes"}]


@pytest.mark.torture
async def test_recording(chromium, site):
    """The recording comes with the end of the task, unless it is switched off."""
    task = f"Open {site}/. Click Contact. Scroll down."
    filmed, dark = (
        await browse(chromium, task, takes_recording=True),
        await browse(chromium, task),
    )

    assert isinstance(filmed.end, Finished)
    assert isinstance(dark.end, Finished)
    assert dark.end.recordings == {}
    for ending, film in filmed.end.recordings.items():  # none without ffmpeg
        assert {"mp4": film[4:8] == b"ftyp", "webm": film[:4] == b"\x1a\x45\xdf\xa3"}[ending]
        assert attrs.asdict(filmed.end)["recordings"]
