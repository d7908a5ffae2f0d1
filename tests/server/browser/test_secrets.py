"""The values of secrets: typed into pages, and shown nowhere."""

import re
import time

import pyotp
import pytest

from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.records import Failed, Finished
from browser_use_async.server.secrets.one_time_codes import SeedRefusedError, typed_text
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import browse

SECRET = "tulips & tides 2000"
OTHER = "lilies # lakes 3000"

# Shows the typed value again: as text, in a box, in a frame, in pieces, and later.
ECHO = """
<title>Echo</title>
<form onsubmit="return false"><label>Name <input id=name oninput="echo(this.value)"></label></form>
<p id=said></p><input id=copy><div id=pieces><span></span></div>
<iframe srcdoc="<body><p id=said></p></body>"></iframe>
<script>
  function echo(text) {
    said.textContent = 'You said ' + text;
    copy.value = text;
    frames[0].document.getElementById('said').textContent = text;
    pieces.firstElementChild.textContent = '';
    for (const letter of text) pieces.firstElementChild.append(letter);
  }
</script>
"""


async def test_a_secret_is_typed_and_not_shown(chromium):
    """Pages get the value; pictures show dots and a blur, and differ from unmasked ones."""
    pictures = []
    async with serve_pages({"/": ECHO}) as site:
        for secret in (SECRET, OTHER):
            done = await browse(
                chromium,
                f"Open {site.url}/. Fill Name with the secret pin. Wait 1 s. Extract",
                secrets={"pin": secret},
                highlight_elements=False,
            )
            assert secret in done.output  # the server masks texts; see below
            pictures.append([step.screenshot for step in done.steps])
        plain = await browse(
            chromium,
            f"Open {site.url}/. Fill Name with “{SECRET}”. Wait 1 s. Extract",
            highlight_elements=False,
        )

    assert all(step.screenshot for step in plain.steps)
    goals = " ".join(step.next_goal for step in done.steps)
    assert "Fill “Name” with the secret pin" in goals
    assert OTHER not in goals
    # The control: without the mask the picture is another one.
    assert plain.steps[2].screenshot not in pictures[0]
    assert pictures[0][0] == pictures[1][0]


@pytest.mark.torture
async def test_addresses_show_no_secret(chromium):
    """A GET form puts the value into the address, in the encoding of addresses."""
    page = "<title>Form</title><form action=/got><label>Name <input name=name></label></form>"
    secrets = {"pin": SECRET}
    async with serve_pages({"/": page, "/got": "<title>Got it</title>"}) as site:
        task = f"Open {site.url}/. Fill Name with pin. Submit the form. Tell me the title"
        done = await browse(chromium, task, secrets=secrets)
    mask = SecretRedactor(secrets)
    shown = [mask.step(step) for step in done.steps]

    assert done.output == "Got it"
    assert "tulips" in done.steps[-1].url
    assert all("tulips" not in repr(step) for step in shown)
    assert shown[-1].url == f"{site.url}/got?name=***"


SEED = "otpauth://totp/shop:me?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=shop"
SHORT = "otpauth://totp/shop:me?secret=JBSWY3DPEHPK3PXP&digits=8&period=60&algorithm=SHA256"


def _codes() -> set[str]:
    """The codes of the seed around this time."""
    generator = pyotp.parse_uri(SEED)
    return {generator.at(time.time() + seconds) for seconds in (-30, 0, 30)}


async def test_the_code_of_a_seed_is_typed(chromium):
    """A page gets the current code; neither code nor seed is reported or shown."""
    secrets = {"phone": SEED}
    async with serve_pages({"/": ECHO}) as site:
        task = f"Open {site.url}/. Fill Name with the secret phone. Wait 1 s. Extract"
        codes = _codes()
        done = await browse(chromium, task, secrets=secrets)
        plain = await browse(chromium, task.replace("the secret phone", "“123456”"))
    mask = SecretRedactor(secrets)
    shown = mask.result(Finished(done.output)).output

    assert any(code in done.output for code in codes | _codes())
    assert not any(code in shown for code in codes | _codes())
    assert "You said ***" in shown
    assert "You said 123456" in plain.output
    assert "JBSW" not in done.output + " ".join(repr(step) for step in done.steps)


async def test_a_seed_that_gives_no_codes_is_refused(chromium):
    """Before the first action, and without the seed in the reason."""
    async with serve_pages({"/": ECHO}) as site:
        task = f"Open {site.url}/. Fill Name with the secret phone"
        done = await browse(chromium, task, secrets={"phone": "otpauth://totp/x?secret=1canary1"})

    assert done.reason == ("The secret “phone” is no otpauth://totp/ address with a valid seed.")
    assert done.steps == []


def test_a_seed_may_be_short_and_of_its_own_kind():
    """Seeds of 80 bits, other numbers of digits, periods and digests work as well."""
    assert re.fullmatch(r"\d{8}", typed_text("phone", SHORT))
    assert typed_text("pin", SECRET) == SECRET


@pytest.mark.parametrize(
    "seed", ["totp/x", "hotp/x?secret=JBSWY3DP&counter=1", "totp/x?secret=JBSWY3DP&period=0"]
)
def test_other_addresses_are_no_seeds(seed):
    """The reason names the secret, and contains nothing of it."""
    with pytest.raises(SeedRefusedError) as caught:
        typed_text("phone", f"otpauth://{seed}")

    assert "JBSW" not in str(caught.value)
    assert caught.value.__context__ is None


def test_codes_are_masked_in_texts_and_files():
    """A code that was typed in the last minute is masked where a page repeats it."""
    mask = SecretRedactor({"phone": SEED})
    code = pyotp.parse_uri(SEED).now()

    assert mask.text(f"Your code {code} is right") == "Your code *** is right"
    assert mask.content(f"code={code}".encode()) == b"code=***"


def test_all_spellings_are_masked():
    """Texts, addresses, JSON and HTML encode a value in their own ways; all are masked."""
    mask = SecretRedactor({"pin": 'a"b & ü/c'})
    spelled = (
        'a"b & ü/c',
        "a%22b+%26+%C3%BC%2Fc",
        "a%22b%20%26%20%C3%BC/c",
        'a\\"b & \\u00fc/c',
        "a&quot;b &amp; ü/c",
    )

    assert [mask.text(f"<{each}>") for each in spelled] == ["<***>"] * len(spelled)
    assert mask.result(Finished('{"pin": "a\\"b & ü/c"}')).output == '{"pin": "***"}'
    assert mask.failure(Failed("no a%22b+%26+%C3%BC%2Fc")).reason == "no ***"
