"""The status of each error of the lower layers."""

from collections.abc import Iterator

import pytest

from browser_use_async.server import errors
from browser_use_async.server.errors import InvalidRequestError, RefusedError
from browser_use_async.server.http.errors import http_error


def _refusals(kind: type[RefusedError] = RefusedError) -> Iterator[type[RefusedError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _refusals(each)


@pytest.mark.parametrize("kind", [*_refusals()], ids=lambda kind: kind.__name__)
def test_each_refusal_has_a_status(kind):
    """A new one without a status would be answered as an internal error."""
    answer = http_error(kind("why") if kind is not InvalidRequestError else kind())
    assert answer is not None

    assert 400 <= answer.status <= 507
    assert answer.body == {"detail": [] if kind is InvalidRequestError else "why"}


def test_a_full_disk_differs_from_a_silent_database():
    """The first matching class of the map counts, and one derives from the other."""
    statuses = [
        answer.status
        for kind in (errors.StorageFullError, errors.ObjectGoneError, errors.UnavailableError)
        if (answer := http_error(kind("why"))) is not None
    ]

    assert statuses == [507, 503, 503]


def test_a_fault_of_the_server_is_no_refusal():
    """It is a defect of the server: its text is not for clients."""
    assert http_error(ValueError("secret")) is None
