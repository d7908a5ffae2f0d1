"""Signed URLs: which ones are allowed, what is sent there, and where they are hidden."""

import pickle

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from browser_use_async.errors import FileTransferError
from browser_use_async.transport.signed_urls import Reach, SignedUrl
from browser_use_async.transport.storage import refusal_text
from tests.files.contents import listing
from tests.support.hygiene import KEY
from tests.support.storage import SIGNATURE, TASK, redirect, refusing, whole

NAME = "report.bin"
AWAY = "https://api.example.com/api/v1"
HERE = "http://127.0.0.1:8000/api/v1"


# --- what goes over the wire --------------------------------------------------------------------


async def test_storages_get_no_key(storage, connect, tmp_path):
    """Neither upload nor download nor redirect has the key, a cookie or anything else."""
    seen: list[str] = []

    async def add_header(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        seen.append(request.url.path)
        request.headers["X-Added"] = KEY
        return await handler(request)

    session = await connect(storage.api, middlewares=[add_header])
    storage.keep(NAME, b"content")
    storage.next = [whole, redirect("/" + NAME), whole]

    await session.files.upload(b"1", file_name="a.csv")
    await session.files.download_output_file(TASK, NAME, tmp_path)

    assert [request.method for request in storage.requests] == ["PUT", "GET", "GET"]
    for request in storage.requests:
        assert KEY.encode() not in request.raw
        assert set(request.headers) <= {
            "host",
            "user-agent",
            "accept",
            "accept-encoding",
            "content-type",
            "content-length",
        }
    assert all(path.startswith("/api/") for path in seen)
    assert all(KEY.encode() in request.raw for request in storage.api.requests)


async def test_traces_of_the_user_see_no_signed_url(storage, connect, tmp_path):
    """Trace configurations, which often end in logs, get the API's calls only."""
    hosts: list[str] = []
    trace = aiohttp.TraceConfig()

    async def note(
        _session: object, _context: object, start: aiohttp.TraceRequestStartParams
    ) -> None:
        hosts.append(str(start.url))

    trace.on_request_start.append(note)
    session = await connect(storage.api, trace_configs=[trace])
    storage.keep(NAME, b"content")

    await session.files.download_output_file(TASK, NAME, tmp_path)

    assert len(hosts) == 1
    assert SIGNATURE not in hosts[0]


async def test_cookies_of_a_storage_are_not_kept(session, storage, tmp_path):
    """A cookie of a storage is not sent back to it."""
    storage.keep(NAME, b"content", ("Set-Cookie", "a=b; Path=/"))

    for _ in range(2):
        await session.files.download_output_file(TASK, NAME, tmp_path, overwrite=True)

    assert all("cookie" not in request.headers for request in storage.requests)


EXACT = [
    "/a%2Fb?X-Amz-Credential=AKIA%2F2025%2Fs3&sig=a%2Bb%3D%3D",
    "/a+b?sig=a+b",
    "/a%20b?sig=%20",
    "/a~b!$&'()*,;=:@?sig=~!$'()*,;:@/?",
    "/%7Ea?sig=%7e",
    "/a//b/./c/../d?sig=1",
    "/a?sig",
    "/a?sig=%E2%82%AC&b=%zz",
    "/a|b^c`{d}?e[]=|",
]


@pytest.mark.parametrize("target", EXACT)
async def test_a_url_is_sent_byte_for_byte(session, storage, tmp_path, target):
    """Path and query are sent unchanged, on download and on upload."""
    storage.url_of = lambda _path, _number: f"http://127.0.0.1:{storage.server.port}{target}"

    await session.files.download_output_file(TASK, NAME, tmp_path)
    await session.files.upload(b"1", file_name="a.csv")

    assert [request.target for request in storage.requests] == [target] * 2


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/a b?sig=c d", "/a%20b?sig=c%20d"),
        ("/ü?sig=€", "/%C3%BC?sig=%E2%82%AC"),
        ("/a\r\nX-Evil: 1\r\n\r\n", "/a%0D%0AX-Evil:%201%0D%0A%0D%0A"),
    ],
    ids=["space", "unicode", "line-breaks"],
)
async def test_what_no_request_can_carry_is_quoted(session, storage, tmp_path, target, sent):
    """Spaces, line breaks and characters outside ASCII cannot break out of the request."""
    storage.url_of = lambda _path, _number: f"http://127.0.0.1:{storage.server.port}{target}"

    await session.files.download_output_file(TASK, NAME, tmp_path)

    assert [request.target for request in storage.requests] == [sent]


# --- where they may lead ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "api", "word"),
    [
        ("https://bucket.s3.amazonaws.com/a?sig=1", AWAY, None),
        ("https://10.0.0.5/a", AWAY, None),
        ("https://localhost/a", HERE, None),
        ("http://127.0.0.1:9000/a", HERE, None),
        ("http://localhost:9000/a", HERE, None),
        ("http://[::1]:9000/a", HERE, None),
        ("http://127.0.0.1:9000/a", AWAY, "this machine"),
        ("https://localhost/a", AWAY, "this machine"),
        ("http://bucket.s3.amazonaws.com/a", AWAY, "http://"),
        ("http://10.0.0.5/a", HERE, "http://"),
        ("http://localhost.evil.example/a", HERE, "http://"),
        ("http://127.0.0.1.evil.example/a", HERE, "http://"),
        ("http://127.0.0.1@evil.example/a", HERE, "user name"),
        ("https://user:pass@bucket.example/a", AWAY, "user name"),
        ("https://bucket.example\\@evil.example/a", AWAY, "user name"),
        ("file:///etc/passwd", HERE, "neither"),
        ("ftp://bucket.example/a", AWAY, "neither"),
        ("//bucket.example/a", AWAY, "neither"),
        ("/a", HERE, "neither"),
        ("", HERE, "neither"),
        ("https://", AWAY, "neither"),
        ("https://bucket.example:99999/a", AWAY, "neither"),
        ("javascript:alert(1)", AWAY, "neither"),
    ],
)
def test_urls_of_the_api(url, api, word):
    """A signed URL is https, or http on this machine if the API is here too."""
    problem = SignedUrl(url).problem(api=api, allow_insecure_http=False)

    assert (problem is None) if word is None else (word in (problem or ""))


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("http://10.0.0.5/a", True),
        ("http://storage.lan/a", True),
        ("http://127.0.0.1/a", True),
        ("file:///etc/passwd", False),
        ("http://user@storage.lan/a", False),
    ],
)
def test_allow_insecure_http(url, fine):
    """`allow_insecure_http=True` allows http, and nothing else."""
    assert (SignedUrl(url).problem(api=AWAY, allow_insecure_http=True) is None) is fine


BUCKET = "https://bucket.example/a?sig=1"


@pytest.mark.parametrize(
    ("start", "location", "end"),
    [
        (BUCKET, "https://other.example/b?c=%2F", "https://other.example/b?c=%2F"),
        (BUCKET, "/b?c=%2F+%20", "https://bucket.example/b?c=%2F+%20"),
        (BUCKET, "?c", "https://bucket.example/a?c"),
        (BUCKET, "//other.example/b", "https://other.example/b"),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:2/b", "http://127.0.0.1:2/b"),
        ("http://127.0.0.1:1/a", "https://other.example/b", "https://other.example/b"),
        ("https://10.0.0.1/a", "https://192.168.0.1/b", "https://192.168.0.1/b"),
        (BUCKET, "http://bucket.example/a", None),
        (BUCKET, "http://127.0.0.1/a", None),
        (BUCKET, "https://127.0.0.1/a", None),
        (BUCKET, "https://127.1/a", None),
        (BUCKET, "https://2130706433/a", None),
        (BUCKET, "https://0x7f.0.0.1/a", None),
        (BUCKET, "https://[::1]/a", None),
        (BUCKET, "https://[::ffff:127.0.0.1]/a", None),
        (BUCKET, "https://localhost/a", None),
        (BUCKET, "https://LOCALHOST./a", None),
        (BUCKET, "https://a.localhost/a", None),
        (BUCKET, "https://10.0.0.1/a", None),
        (BUCKET, "https://169.254.169.254/latest/meta-data", None),
        (BUCKET, "https://0.0.0.0/a", None),
        (BUCKET, "https://[fd00::1]/a", None),
        (BUCKET, "https://user@other.example/a", None),
        (BUCKET, "file:///etc/passwd", None),
        (BUCKET, "javascript:alert(1)", None),
        (BUCKET, "https://[bad/a", None),
        ("https://10.0.0.1/a", "https://localhost/b", None),
        ("https://10.0.0.1/a", "http://10.0.0.1/b", None),
    ],
)
def test_redirects(start, location, end):
    """A redirect stays on https, and leads to no host in a more private network."""
    url = SignedUrl(start)
    target = url.redirected(location)
    problem = url.redirect_problem(target, allow_insecure_http=False)

    assert (problem is None) is (end is not None)
    if end is not None:
        assert str(target.reveal()) == end


async def test_a_redirect_is_followed(session, storage, tmp_path):
    """Up to five redirects are followed, byte for byte."""
    storage.keep(NAME, b"content")
    storage.next = [redirect(f"/step?n={n}%2F", 301 + n % 2) for n in range(4)]
    storage.next.append(redirect("/" + NAME, 308))

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == b"content"
    assert storage.requests[1].target == "/step?n=0%2F"
    assert len(storage.requests) == 6


@pytest.mark.parametrize(
    ("location", "word"),
    [
        ("http://10.255.255.1/a", "http://"),
        ("file:///etc/passwd", "neither"),
        ("/again", "more than 5 times"),
        ("", "more than 5 times"),
    ],
)
async def test_a_redirect_is_refused(session, storage, tmp_path, location, word):
    """A redirect to a place that is not allowed, or without an end, is an error."""
    storage.behave = redirect(location)

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert word in str(caught.value)
    assert len(storage.requests) in {1, 6}
    assert not listing(tmp_path)


@pytest.mark.parametrize(
    "url", ["http://10.255.255.1/a", "file:///etc/passwd", "", "https://user:pw@bucket.example/a"]
)
async def test_a_url_of_the_api_is_refused(session, storage, tmp_path, url):
    """A URL that is not safe is refused for one file, for several, and for uploads."""
    storage.url_of = lambda _path, _number: url + SIGNATURE if url else url
    storage.screenshots = ["a.png"]

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path)
    with refusing(FileTransferError):
        await session.files.download_screenshots(TASK, tmp_path)
    with refusing(FileTransferError):
        await session.files.upload(b"1", file_name="a.csv")

    assert caught.value.task_id == TASK
    assert not storage.requests
    assert not listing(tmp_path)


# --- where they are not shown ------------------------------------------------------------


@pytest.mark.parametrize("show", [repr, str, "{}".format], ids=["repr", "str", "format"])
def test_a_signed_url_is_not_shown(show):
    """Every representation of it shows its host and nothing else."""
    assert show(SignedUrl(f"https://bucket.example/a?sig={SIGNATURE}")) == (
        "SignedUrl('https://bucket.example/***')"
    )


def test_a_signed_url_is_not_pickled():
    """A pickle would contain the signature."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(SignedUrl(BUCKET))


@pytest.mark.parametrize(
    ("host", "reach"),
    [("example.com", 0), ("8.8.8.8", 0), ("10.1.2.3", 1), ("::1", 2), ("", 0), (None, 0)],
)
def test_reach(host, reach):
    """Hosts are classified by the networks from which they can be reached."""
    assert Reach.of(host) == reach


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "status 403"),
        (b"<Error><Code>A</Code><Message>B &amp; C</Message></Error>", "status 403 (A: B & C)"),
        (b"<Error><Message>only &lt;this&gt;</Message></Error>", "status 403 (only <this>)"),
        (b"plain\x00\n text", "status 403 (plain text)"),
        (b"\xff\xfe", "status 403 (\ufffd\ufffd)"),
        (b"sig=secret-of-8 and secret-of-8", "status 403 (*** and ***)"),
        (b"sig=secret%2Dof%2D8", "status 403 (***)"),
        (b"x" * 9000, f"status 403 ({'x' * 300})"),
    ],
)
def test_words_of_a_refusal(body, text):
    """The message of a storage is one line, without the parts of the URL."""
    assert refusal_text(403, body, SignedUrl("https://h/a?sig=secret%2Dof%2D8&b=1")) == text
