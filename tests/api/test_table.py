from pathlib import Path

import attrs
import pytest

from browser_use_async.api.endpoint_table import API_PREFIX, ENDPOINTS, Effect
from browser_use_async.types import TaskStatus
from tests.api.answers import ROWS

TRANSCRIBED = Path(__file__).parents[1] / "samples" / "endpoints.txt"


def _transcribed() -> dict[str, str]:
    """Method and path to section, transcribed from the specification by hand."""
    rows = [line.split(maxsplit=2) for line in TRANSCRIBED.read_text().splitlines()]
    return {f"{method} {path}": section for method, path, section in rows}


# The effect of each call on an account, by hand from the specification.
EFFECTS = {
    "POST /simple-search": Effect.CREATES,
    "POST /search-url": Effect.CREATES,
    "POST /run-task": Effect.CREATES,
    "PUT /stop-task": Effect.IDEMPOTENT,
    "PUT /pause-task": Effect.SWITCHES,
    "PUT /resume-task": Effect.SWITCHES,
    "POST /scheduled-task": Effect.CREATES,
    "PUT /scheduled-task/{task_id}": Effect.IDEMPOTENT,
    "DELETE /scheduled-task/{task_id}": Effect.IDEMPOTENT,
    "POST /browser-profiles": Effect.CREATES,
    "PUT /browser-profiles/{profile_id}": Effect.IDEMPOTENT,
    "DELETE /browser-profiles/{profile_id}": Effect.IDEMPOTENT,
}


def test_every_call_of_the_specification_is_a_row():
    """Each call has a constant with their method, path and section, and no row is made up."""
    rows = {f"{row.method} {API_PREFIX}{row.path}": row.section for row in ROWS.values()}

    assert _transcribed() == rows


def test_sections_are_served_whole():
    """Both sides have whole sections of the specification, tasks and account first."""
    served = {row.section for row in ENDPOINTS}
    expected = {call for call, section in _transcribed().items() if section in served}

    assert served >= {"Tasks", "User", "Health Check"}
    assert expected == {f"{row.method} {API_PREFIX}{row.path}" for row in ENDPOINTS}


def test_no_call_is_there_twice():
    """Names and calls are unique, so that logs and caches can be keyed by them."""
    assert len(set(ENDPOINTS)) == len(ENDPOINTS)
    assert len({str(row) for row in ROWS.values()}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=str)
def test_effect(row):
    """Each call has the effect of the list above, and every GET only reads."""
    assert EFFECTS.get(str(row), Effect.READS) is row.effect
    assert row.method != "GET" or row.effect is Effect.READS


@pytest.mark.parametrize("row", ROWS.values(), ids=str)
def test_subscription(row):
    """Exactly the two calls that start tasks need a subscription, as their pages say."""
    assert row.subscription is (str(row) in {"POST /run-task", "POST /scheduled-task"})


@pytest.mark.parametrize("row", ROWS.values(), ids=str)
def test_authentication(row):
    """Ping is the only call that needs no key."""
    assert row.authenticated is (str(row) != "GET /ping")


@pytest.mark.parametrize("row", ROWS.values(), ids=str)
def test_path_parameters(row):
    """The placeholders of a path are the fields of its parameter class, in that order."""
    placeholders = [part[1:-1] for part in row.path.split("/") if part.startswith("{")]
    fields = [field.name for field in attrs.fields(row.parameters)] if row.parameters else []

    assert placeholders == fields


@pytest.mark.parametrize("row", ROWS.values(), ids=str)
def test_bodies_and_queries(row):
    """Only POST and PUT have a JSON body; the three calls that control a task have only a query."""
    steering = str(row) in {"PUT /stop-task", "PUT /pause-task", "PUT /resume-task"}

    assert (row.body is not None) is (row.method in {"POST", "PUT"} and not steering)
    assert not (row.body and row.query)
    if steering:
        assert [field.name for field in attrs.fields(row.query)] == ["task_id"]


def test_calls_that_answer_nothing():
    """The answers to controlling a task, pinging and deleting have no meaning."""
    silent = {str(row) for row in ROWS.values() if row.returns is None}

    assert silent == {
        "PUT /stop-task",
        "PUT /pause-task",
        "PUT /resume-task",
        "DELETE /scheduled-task/{task_id}",
        "DELETE /browser-profiles/{profile_id}",
        "GET /ping",
    }


@pytest.mark.parametrize(("name", "expected"), [("get_task_status", TaskStatus), ("me", bool)])
def test_bare_answers(name, expected):
    """Two calls answer a bare JSON value rather than an object."""
    assert ROWS[name].returns is expected


@pytest.mark.parametrize("row", ROWS.values(), ids=str)
def test_rows_read_well(row):
    """A row prints as method and path, as error texts name a call."""
    assert str(row) == f"{row.method} {row.path}"
