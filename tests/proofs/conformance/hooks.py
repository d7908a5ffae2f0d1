"""Rules that schemathesis cannot find in the document, for the run of `run.py`.

A JSON schema says neither which files were uploaded nor that one date lies after another, nor what
is a domain or a schema; valid cases are corrected in these points. The service coerces in bodies
what its schema calls wrong ("7" is a 7); invalid cases that it accepts for that reason are made
invalid for every server.
"""

import json
import os
import re
import uuid
from datetime import datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

from browser_use_async.server.executors.task_fields import domain_problem, schema_problem

SITE = os.environ["CONFORMANCE_SITE"]
UPLOADED = os.environ["CONFORMANCE_UPLOADS"].split()

_CRON_BOUNDS = ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6))
_BOOLEAN_WORDS = {"true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"}
_BOOLEANS = (
    "save_browser_data use_adblock use_proxy highlight_elements enable_public_share is_active "
    "persist ad_blocker proxy"
).split()
_INTEGERS = (
    "browser_viewport_width browser_viewport_height max_agent_steps interval_minutes "
    "max_websites depth"
).split()
_MOMENTS = ("start_at", "end_at")

_KEY = re.compile(r'[!#$&-~][!#-~]{0,254}|"(?:[ !#-\[\]-~]|\\["\\]){1,255}"|%"[ !#$&-~%]+"')
_KEYS = st.text(max_size=5)
_VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
_OBJECTS = st.dictionaries(_KEYS, _VALUES | st.dictionaries(_KEYS, _VALUES, max_size=2), max_size=3)
_CRON_FIELDS = [
    st.just("*") | st.integers(*bounds).map(str) | st.integers(1, 6).map("*/{}".format)
    for bounds in _CRON_BOUNDS
]

schemathesis.openapi.format("json-object", _OBJECTS.map(json.dumps))
schemathesis.openapi.format("cron", st.tuples(*_CRON_FIELDS).map(" ".join))


@schemathesis.check
def missing_key_is_refused(context: Any, response: Any, case: Any) -> None:
    """A request without the header that carries the key is answered 403 with the reason."""
    if "Authorization" in response.request.headers or not case.operation.definition.raw.get(
        "security"
    ):
        return
    if case.method.upper() != case.operation.method.upper():
        return
    assert response.status_code in {403, 404}, f"answered {response.status_code} without a key"


@schemathesis.hook
def before_call(context: Any, case: Any, **options: Any) -> None:
    """Correct valid cases, and make invalid ones invalid beyond coercion."""
    _mend_key(case)
    body = case.body
    if not isinstance(body, dict):
        return
    changed = dict(body)
    address = changed.get("url")
    if isinstance(address, str) and re.match("https?://", address):
        changed["url"] = SITE + "/index.html"  # no foreign host is ever visited
    if case.meta is not None and case.meta.generation.mode.is_negative:
        _spoil(changed)
    else:
        _mend(changed, update=case.method == "PUT")
    if changed != body or [*map(repr, changed.values())] != [*map(repr, body.values())]:
        case.body = changed


def _mend_key(case: Any) -> None:
    """Give a case a key of its own: what another one has sent would be no repeat."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(_KEY, key.strip()):
        # What no pattern allows and HTTP takes off, blanks around it, is made invalid.
        case.headers["Idempotency-Key"] = f'"{uuid.uuid4()}"' if key == key.strip() else '"'


def _mend(body: dict[str, Any], *, update: bool) -> None:
    names = body.get("included_file_names")
    if isinstance(names, list):
        body["included_file_names"] = UPLOADED[: len(names)]
    domains, schema = body.get("allowed_domains"), body.get("structured_output_json")
    if isinstance(domains, list):
        body["allowed_domains"] = [each for each in domains if domain_problem(each) is None]
    if isinstance(schema, str) and not _can_be_followed(schema):
        body["structured_output_json"] = '{"type": "object"}'
    start, end = body.get("start_at"), body.get("end_at")
    if isinstance(start, str):
        # The end of what is updated is a year after its creation, or later.
        latest = 2020 if update else 2099 if isinstance(end, str) else 9997
        body["start_at"] = _with_year(start, 1970, latest)
    if isinstance(end, str):
        body["end_at"] = _with_year(end, 9998 if update else 2100, 9998)


def _can_be_followed(schema: str) -> bool:
    try:
        parsed = json.loads(schema)
    except ValueError:
        return True  # for the server to judge
    return not isinstance(parsed, dict) or schema_problem(parsed) is None


def _with_year(moment: str, first: int, last: int) -> str:
    year = min(max(int(moment[:4]), first), last)
    return f"{year:04}" + moment[4:].replace("02-29", "02-28", 1)


def _spoil(body: dict[str, Any]) -> None:
    for name, value in body.items():
        if name in _BOOLEANS and _reads_as_boolean(value):
            body[name] = []
        if name in _INTEGERS and _reads_as_integer(value):
            body[name] = []
        if name in _MOMENTS and _reads_as_moment(value):
            body[name] = []
        if name == "proxy_country_code" and isinstance(value, str) and value != value.lower():
            body[name] = []


def _reads_as_boolean(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in _BOOLEAN_WORDS
    return value in (0, 1) and not isinstance(value, bool)


def _reads_as_integer(value: Any) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"\s*[+-]?[0-9_]+(\.0+)?\s*", value) is not None
    return isinstance(value, bool | float)


def _reads_as_moment(value: Any) -> bool:
    try:
        datetime.fromisoformat(value.strip().upper())
    except (AttributeError, TypeError, ValueError):
        return False
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value) is None
