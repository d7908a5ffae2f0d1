"""A script stays on its site: on its pages, and in the frames of its pages."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.model import Model
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from browser_use_async.server.records import (
    Failed,
    Finished,
    ScriptOrder,
    ScriptOutcome,
)
from tests.agent.scripted_model import KEY, Says, ScriptedModel
from tests.server.browser.pages import Site, serve_pages
from tests.server.browser.running import browse
from tests.server.plain.running import Run
from tests.support.patience import until

SECRET = "canary-of-a-password-77"
TYPED = f"/typed/{SECRET}"
# Pages that tell their own site what is typed into them.
FORM = """<title>Form</title><form method=post action={action}>
    <label>{label} <input type={type} name=pw oninput="fetch('/typed/' + value)"></label>
    <button>{button}</button></form>"""
LOGIN = FORM.format(action="/in", label="Password", type="password", button="Sign in")
PAY = FORM.format(action="/paid", label="Card", type="text", button="Pay now")
CVC = FORM.format(action="/paid", label="Code", type="text", button="Pay $999 now")
LOGIN_TASK = 'fill "Password" with the secret pw, click "Sign in"'


@attrs.define
class Pages:
    """A site whose pages can change while it runs."""

    pages: dict[str, str]
    site: Site

    def put(self, **changed: str) -> None:
        """Change pages, by the names of their paths."""
        self.pages.update({f"/{name}": text for name, text in changed.items()})


@asynccontextmanager
async def serve(**pages: str) -> AsyncGenerator[Pages, None]:
    """Serve pages by the names of their paths, beside those to which forms lead."""
    served = {f"/{name}": text for name, text in pages.items()}
    served |= {"/in": "<title>Welcome</title>", "/paid": "<title>Thanks</title>"}
    async with serve_pages(served) as site:
        yield Pages(served, site)


@asynccontextmanager
async def with_model(
    browser_path: str,
) -> AsyncGenerator[tuple[ChromiumExecutor, ScriptedModel], None]:
    """An executor with a model, which could be asked."""
    said: Says = {"answer": "x"}
    async with ScriptedModel([lambda _: said]) as model:
        settings = ChromiumSettings(browser_path, allow_private_addresses=True)
        reading = Model.of(AgentSettings(llm_base_url=model.url, llm_key=KEY))
        executor = ChromiumExecutor(settings, reading)
        try:
            yield executor, model
        finally:
            await executor.aclose()


async def record(chromium: ChromiumExecutor, task: str) -> str:
    """Record a script from step lines, and return its text."""
    order = ScriptOrder("login", {})
    done = await browse(
        chromium, f"{task} and tell me the title", script=order, secrets={"pw": SECRET}
    )
    assert isinstance(done.end, Finished), done.end
    assert done.end.script is not None
    assert done.end.script.text, done.end.script.problem
    return done.end.script.text


async def play(chromium: ChromiumExecutor, text: str, **settings: object) -> Run:
    """Play a script for which no person can be asked."""
    order = ScriptOrder("login", {}, text, 1, is_attended=False)
    return await browse(chromium, "Do it", script=order, **{"secrets": {"pw": SECRET}, **settings})


def outcome_of(run: Run) -> ScriptOutcome:
    """What a play that was refused says about its script."""
    assert isinstance(run.end, Failed), run.end
    assert run.end.script is not None
    return run.end.script


async def test_a_page_that_moved_to_another_site_gets_no_secret(browser_path, chromium):
    """No model is asked there, and no agent begins again with the secrets."""
    async with (
        serve(login=LOGIN) as shop,
        serve(login=LOGIN) as thief,
        with_model(browser_path) as (asking, model),
    ):
        text = await record(chromium, f"Open {shop.site.url}/login, {LOGIN_TASK}")
        shop.put(login=f"REDIRECT {thief.site.other_url}/login")
        for player in (chromium, asking):
            refused = await play(player, text)
            where = f"the page is {thief.site.other_url}/login and not {shop.site.url}/login"
            assert where in refused.reason
            assert "its secrets are for the site of the script" in refused.reason
            assert not outcome_of(refused).may_go_on

    assert TYPED in shop.site.asked
    assert {*thief.site.asked} <= {"/login", "/favicon.ico"}
    assert model.asked == []


async def test_without_guards_the_other_site_gets_the_secret(browser_path):
    """The control: nothing but the guards keeps it."""
    settings = ChromiumSettings(browser_path, allow_private_addresses=True)
    careless = ChromiumExecutor(settings, guards=False)
    try:
        async with serve(login=LOGIN) as shop, serve(login=LOGIN) as thief:
            text = await record(careless, f"Open {shop.site.url}/login, {LOGIN_TASK}")
            shop.put(login=f"REDIRECT {thief.site.other_url}/login")
            await play(careless, text)
    finally:
        await careless.aclose()

    assert TYPED in thief.site.asked
    assert "/in" in thief.site.asked


async def test_another_page_of_the_same_site_may_be_given_to_the_agent(chromium):
    """It is refused as well, but the secrets are for this site."""
    async with serve(login=LOGIN, start=LOGIN) as shop:
        text = await record(chromium, f"Open {shop.site.url}/login, {LOGIN_TASK}")
        shop.put(login=f"REDIRECT {shop.site.url}/start")
        refused = await play(chromium, text)

    assert f"the page is {shop.site.url}/start and not {shop.site.url}/login" in refused.reason
    assert outcome_of(refused).may_go_on


async def test_a_frame_of_another_site_gets_nothing(chromium):
    """Even if its path is the same, and so are its words."""
    frame = "<title>Checkout</title><iframe src={}/pay width=500 height=300></iframe>"
    async with (
        serve(pay=PAY) as bank,
        serve(pay=PAY) as thief,
        serve(checkout=frame.format(bank.site.other_url)) as shop,
    ):
        task = f'Open {shop.site.url}/checkout, fill "Card" with the secret pw, click "Pay now"'
        text = await record(chromium, task)
        played = await play(chromium, text)
        paid = bank.site.asked.count("/paid")
        shop.put(checkout=frame.format(thief.site.other_url))
        refused = await play(chromium, text)

    assert f"frame: {bank.site.other_url}/pay\n" in text
    assert "effect: changes" in text
    assert isinstance(played.end, Finished), played.end
    assert paid == 2
    where = f"its frame is not {bank.site.other_url}/pay; the page has: {thief.site.other_url}/pay"
    assert where in refused.reason
    assert not outcome_of(refused).may_go_on
    assert {*thief.site.asked} <= {"/pay", "/favicon.ico"}


class PausedOnce:
    """The control of a task that is paused before its second step, until something has come."""

    def __init__(self, pause: Callable[[], Awaitable[None]]) -> None:
        self._pause = pause
        self._steps = 0

    def started(self) -> None:
        """The test does not look at it."""

    def doing(self, goal: str) -> None:
        """The test does not look at it."""

    async def checkpoint(self) -> None:
        """Pause before the second step."""
        self._steps += 1
        if self._steps == 2:
            await self._pause()


async def test_a_page_that_leaves_before_the_step_gets_no_key(chromium):
    """A task may be paused for hours between the look at its page and the step."""
    leaving = """<title>Start</title><form action=/in><input name=q autofocus></form><script>
        setInterval(async () => { if ((await fetch('/gate')).ok) location = 'THIEF/form' }, 400)
        </script>"""
    trap = """<title>Form</title><form action=/in><input name=q autofocus></form>
        <script>onload = () => setTimeout(() => fetch('/arrived'), 100)</script>"""
    async with (
        serve(form=trap) as thief,
        serve(start=leaving.replace("THIEF", thief.site.other_url)) as shop,
    ):

        async def leave() -> None:
            shop.put(gate="go")
            await until(lambda: "/arrived" in thief.site.asked, 30)

        start = f"{shop.site.url}/start"
        text = f"script login\n\nopen {start}\npress Enter\n    page: {start}\n"
        refused = await play(chromium, text, control=PausedOnce(leave), secrets={})

    assert f"the page is {thief.site.other_url}/form and not {start}" in refused.reason
    assert "/in" not in thief.site.asked


async def test_paying_behind_a_secret_is_no_sign_in(browser_path, chromium):
    """Another button is never taken for it, and the payment is never made again."""
    async with (
        serve(pay=CVC, other="<title>Other</title>") as shop,
        with_model(browser_path) as (asking, model),
    ):
        task = f'Open {shop.site.url}/pay, fill "Code" with the secret pw, click "Pay $999 now"'
        text = await record(chromium, task)
        shop.put(pay=CVC.replace("999 now", "999 now and subscribe"))
        changed = await play(asking, text)
        paid = shop.site.asked.count("/paid")
        shop.put(pay=CVC, paid="REDIRECT /other")
        led_elsewhere = await play(asking, text)

    assert "effect: changes" in text
    assert "signs in" not in text
    assert isinstance(changed.end, Failed)
    assert paid == 1
    assert shop.site.asked.count("/paid") == 2
    assert "it led to" in led_elsewhere.reason
    assert not outcome_of(led_elsewhere).may_go_on
    assert model.asked == []


async def test_a_sign_in_is_sent_once(chromium):
    """What does not fit after it is not begun again by an agent."""
    welcome = "<title>Welcome</title><a href=/bills>Bills</a>"
    async with serve(login=LOGIN, bills="<title>Bills</title>") as shop:
        shop.put(**{"in": welcome})
        text = await record(chromium, f'Open {shop.site.url}/login, {LOGIN_TASK}, click "Bills"')
        shop.put(**{"in": welcome.replace("Bills", "Invoices")})
        refused = await play(chromium, text)
        sent = shop.site.asked.count("/in")
        shop.put(login=LOGIN.replace("Sign in", "Log me in"))
        before = await play(chromium, text)

    assert "effect: signs in" in text
    assert not outcome_of(refused).may_go_on
    assert sent == 2
    assert outcome_of(before).may_go_on  # nothing was sent yet
    assert shop.site.asked.count("/in") == 2


async def test_a_sign_in_does_not_become_a_payment(chromium):
    """A button in its place that pays is not clicked."""
    async with serve(login=LOGIN) as shop:
        text = await record(chromium, f"Open {shop.site.url}/login, {LOGIN_TASK}")
        shop.put(login=LOGIN.replace("Sign in", "Pay now"))
        refused = await play(chromium, text)

    assert outcome_of(refused).may_go_on  # nothing was sent
    assert shop.site.asked.count("/in") == 1


async def test_a_step_without_a_description_is_taken_in_no_frame(chromium):
    """Its words may be those of a frame of another site, where not even a banner is closed."""
    frame = "<title>Start</title><iframe src={}/ad></iframe>"
    banner = """<div style="position: fixed; inset: 0">
        <button onclick="fetch('/closed'); parentNode.remove()">Close</button></div>"""
    async with (
        serve(ad=f"<a href=/in>Enter</a>{banner}") as thief,
        serve(start=frame.format(thief.site.other_url)) as shop,
    ):
        start = f"{shop.site.url}/start"
        text = f'script login\n\nopen {start}\nclick "Enter"\n    page: {start}\n'
        refused = await play(chromium, text, secrets={})

    assert "its frame is not the page itself" in refused.reason
    assert {*thief.site.asked}.isdisjoint({"/in", "/closed"})
