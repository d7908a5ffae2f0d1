import pytest

from browser_use_async.server.egress.http_client import HttpClient
from browser_use_async.server.egress.policy import AllowedDomains, EgressPolicy, PrivateAddresses
from browser_use_async.server.html.visit import Cookies, PageNotOpenedError, open_page
from tests.server.raw_server import page, raw_server

OPEN = PrivateAddresses(all=True)


@pytest.fixture
def visitor():
    """An HTTP client that may open pages of this machine."""
    return HttpClient(EgressPolicy(private=OPEN), connect=20, silence=20, exchange=20)


def within(*domains: str) -> HttpClient:
    """An HTTP client that may open pages of these domains."""
    return HttpClient(EgressPolicy(AllowedDomains(domains), OPEN))


def moved(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return page(status=status, headers={"Location": location})


async def refusal(visitor: HttpClient, url: str) -> PageNotOpenedError:
    """The reason why a page cannot be opened."""
    with pytest.raises(PageNotOpenedError) as caught:
        await open_page(visitor, url)
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(visitor, status):
    """Relative redirects lead to the page, whose address is the last one."""
    answers = {"/a": moved("b#part", f"{status} Moved"), "/b": page(b"<title>There</title>")}
    async with raw_server(answers) as url:
        visit = await open_page(visitor, f"{url}/a")

    assert (visit.page.title, visit.page.url) == ("There", f"{url}/b")


async def test_five_redirects_are_enough(visitor):
    """Five redirects are followed, and the sixth is not."""
    answers = {f"/{number}": moved(f"/{number + 1}") for number in range(6)}
    async with raw_server({**answers, "/6": page(b"<title>End</title>")}) as url:
        assert (await open_page(visitor, f"{url}/1")).page.title == "End"
        assert "more than 5 times" in (await refusal(visitor, f"{url}/0")).reason


async def test_circles_are_noticed(visitor):
    """Redirects in a circle are not followed until the limit."""
    async with raw_server({"/a": moved("/b"), "/b": moved("/a#x")}) as url:
        error = await refusal(visitor, f"{url}/a")

    assert error.reason == f"{url}/a redirects in a circle."


@pytest.mark.parametrize("location", ["mailto:a@b.example", "", "http://[broken/"])
async def test_redirect_to_nowhere_is_refused(visitor, location):
    """A redirect needs an address that can be opened."""
    async with raw_server({"/": moved(location)}) as url:
        assert "redirects to nowhere" in (await refusal(visitor, url)).reason


async def test_redirects_obey_the_allowed_domains():
    """A redirect to a host that is not allowed is not followed."""
    asked: list[str] = []

    async def note(connection) -> None:
        asked.append((await connection.read_request()).target)

    async with raw_server(note) as other:
        target = other.replace("127.0.0.1", "localhost")
        async with raw_server({"/": moved(f"{target}/secret")}) as url:
            error = await refusal(within("127.0.0.1"), url)

    assert (
        error.reason == f"{target}/secret is outside the allowed domains of this task (127.0.0.1)."
    )
    assert error.url == f"{target}/secret"
    assert asked == []


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("404 Not Found", "404 Not Found"),
        ("500 Oops", "500 Internal Server Error"),
        ("410 X", "410 Gone"),
        ("299 Fine", ""),
        ("799 Odd", "799 Odd"),
    ],
)
async def test_status_decides(visitor, status, shown):
    """Only 2xx is a page; the reason has the status."""
    async with raw_server({"/": page(b"x", status=status)}) as url:
        if shown:
            assert (await refusal(visitor, url)).reason == f"{url} answered {shown}."
        else:
            assert (await open_page(visitor, url)).page.text == "x"


async def test_unreadable_page_is_refused(visitor):
    """A picture cannot be read, and the reason says so."""
    async with raw_server({"/": page(b"x", headers={"Content-Type": "image/png"})}) as url:
        assert "image/png, and only text" in (await refusal(visitor, url)).reason


async def test_passwords_in_addresses_are_not_shown(visitor):
    """An address with a password is refused without repeating the password."""
    for client in (visitor, within("b.example")):
        error = await refusal(client, "http://user:hunter2@a.example/x")

        assert "hunter2" not in error.reason + error.url


async def test_cookies_of_the_whole_way_are_collected(visitor):
    """Cookies of redirects count; foreign domains and invalid ones do not."""
    first = page(
        status="302 Found",
        headers={"Location": "/b", "Set-Cookie": "a=1; Path=/x; HttpOnly\r\nSet-Cookie: b,c=1"},
    )
    last = page(
        headers={"Set-Cookie": "b=2; Domain=localhost\r\nSet-Cookie: c=3; Domain=other.example"}
    )
    async with raw_server({"/a": first, "/b": last}) as url:
        local = url.replace("127.0.0.1", "localhost")
        cookies = Cookies()
        await open_page(visitor, f"{local}/a", cookies=cookies)

    assert cookies.all() == [
        {"name": "a", "value": "1", "domain": "localhost", "path": "/x", "httpOnly": True},
        {"name": "b", "value": "2", "domain": ".localhost", "path": "/"},
    ]
