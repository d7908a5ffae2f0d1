"""Which calls a key may make: every scope with every call of the API and of administration."""

import itertools
from typing import Any

import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS, Endpoint

UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
PLACES = {"task_id": UNKNOWN_ID, "profile_id": UNKNOWN_ID, "file_name": "a.csv"}
ADMINISTRATION = (
    ("POST", "/admin/credits", "admin"),
    ("GET", "/admin/faults", "admin"),
    ("PUT", "/admin/faults", "admin"),
    ("DELETE", f"/admin/links/{UNKNOWN_ID}", "admin"),
    ("GET", "/admin/webhooks", "admin"),
    ("POST", "/admin/webhooks", "admin"),
    ("PATCH", f"/admin/webhooks/{UNKNOWN_ID}", "admin"),
    ("DELETE", f"/admin/webhooks/{UNKNOWN_ID}", "admin"),
    ("GET", "/admin/keys", "admin"),
    ("POST", "/admin/keys", "admin"),
    ("DELETE", f"/admin/keys/{UNKNOWN_ID}", "admin"),
    ("GET", f"/admin/deliveries/{UNKNOWN_ID}", "admin"),
    ("GET", "/admin/costs", "read"),
    ("GET", "/admin/deliveries", "read"),
    ("GET", "/admin/files", "read"),
    ("DELETE", "/admin/files/a.csv", "run"),
    ("PUT", f"/admin/shares/{UNKNOWN_ID}", "run read"),
    ("DELETE", f"/admin/shares/{UNKNOWN_ID}", "run"),
    ("GET", "/admin/next-runs", "read"),
    ("GET", "/admin/overview", "read"),
    ("GET", f"/api/v1/task/{UNKNOWN_ID}/gif", "read"),
)
SCOPES = ("run", "read", "admin")


def scope_of(endpoint: Endpoint) -> str | None:
    """The scope that the documentation gives for a call."""
    if endpoint.name in {"me", "ping"}:
        return None
    return "read" if endpoint.method == "GET" else "run"


def refused(answer: Any, scope: str) -> bool:
    """Whether an answer says that exactly this scope is missing."""
    return answer.status == 403 and f"the scope {scope}," in answer.text


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda row: row.name)
async def test_each_call_needs_its_scope(endpoint, caller):
    """With all other scopes it is refused with 403 and its name; alone it is enough."""
    needed = scope_of(endpoint)
    path = endpoint.path.format(**PLACES)
    if endpoint.query is not None and endpoint.method == "PUT":
        path += f"?task_id={UNKNOWN_ID}"
    body = {} if endpoint.body is not None else None
    for scope in SCOPES:
        others = [each for each in SCOPES if each != scope]
        only = await caller.with_new_key(f"only-{scope}", scopes=[scope])
        without = await caller.with_new_key(f"without-{scope}", scopes=others)
        answers = [await each.ask(endpoint.method, path, json=body) for each in (only, without)]
        expected = [needed not in {None, scope}, needed == scope]
        assert [refused(each, str(needed)) for each in answers] == expected
        assert all(
            each.status != 403
            for each, is_refused in zip(answers, expected, strict=True)
            if not is_refused
        )


@pytest.mark.parametrize(("method", "path", "needed"), ADMINISTRATION)
async def test_each_route_of_administration_needs_its_scope(method, path, needed, caller):
    """As each call of the API."""
    for scopes in (each for n in (1, 3) for each in itertools.combinations(SCOPES, n)):
        other = await caller.with_new_key("-".join(scopes), scopes=scopes)
        answer = await other.ask(method, caller.server.url + path)
        missing = [each for each in needed.split() if each not in scopes]
        assert refused(answer, missing[0]) if missing else answer.status != 403


async def test_no_route_below_admin_is_left_out(caller):
    """Every route that needs a key has a scope: without a key each is refused."""
    for method, path, _ in ADMINISTRATION:
        assert (await caller.ask(method, caller.server.url + path, key=False)).status == 403
