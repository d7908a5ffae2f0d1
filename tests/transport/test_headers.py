"""The user's own headers neither replace the session's nor add others."""

import inspect

import aiohttp
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.errors import ConfigurationError
from tests.support.hygiene import KEY, raises
from tests.support.wire import answering, response

RUNNING = answering(response(200, '"running"'))


def test_there_is_no_option_for_headers():
    """A session sends the headers of the API; an option that does not exist cannot be misused."""
    assert not [
        name for name in inspect.signature(BrowserUseSession).parameters if "header" in name
    ]


async def test_an_authorization_of_the_users_session_is_not_sent(serve, connect):
    """The key of this session is sent, once, and not the one in the user's own session."""
    server = await serve(RUNNING)
    headers = {"authorization": "Bearer other", "AUTHORIZATION": "Bearer third"}
    async with aiohttp.ClientSession(headers=headers) as own:
        await (await connect(server, http=own)).tasks.get_status("t-1")

    (request,) = server.requests
    assert request.raw.lower().count(b"authorization:") == 1
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Own": "a\r\nX-Evil: 1"},
        {"X-Own\r\nX-Evil": "1"},
        {"X-Own": "a\nb"},
        {"X-Own": "a\x00"},
        {"Host": "evil.example"},
    ],
    ids=["value", "name", "line feed", "NUL", "host"],
)
async def test_headers_that_lead_elsewhere_are_refused(headers):
    """A header that would become two, or name another host, is refused before any call."""
    async with aiohttp.ClientSession(headers=headers) as own:
        with raises(ConfigurationError) as caught:
            BrowserUseSession(api_key=KEY, http=own)

    assert "evil" not in str(caught.value)
