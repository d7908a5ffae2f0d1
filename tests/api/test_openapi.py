"""The document of the server compared with the published one of the service, fact by fact."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS
from docs.openapi import FOLDER, documents
from tests.api.openapi_facts import facts_of, flattened

PUBLISHED = Path(__file__).parents[1] / "openapi" / "published.json"

# All allowed differences, as patterns of places; each must really occur.
REMOVED = (
    r"operations > GET /api/v1/task/\{task_id\}/gif > .*",
    r"operations > GET /api/v1/browser-use-version > .*",
    r"schemas > TaskGifResponse > .*",
    # calls without parameters, which have the header of a submission key here
    r"operations > POST .*/(run-task|scheduled-task|browser-profiles) > parameters",
    r"operations > POST .*/(simple-search|search-url) > parameters",
)
_WIDTH = r"browser_viewport_(width|height)( > anyOf > 0)? > (minimum|maximum)"
ADDED = (
    # the operator of a server reads the tasks of every owner
    r"operations > GET /api/v1/task.* > parameters > query owner > .*",
    # answers that the published document does not mention
    r"operations > .* > responses > (400|401|402|403|404|413|429|502|503) > .*",
    r"schemas > ErrorResponse > .*",
    # submission keys, which the service does not have
    r"operations > POST .* > parameters > header Idempotency-Key > .*",
    # newer than the published document
    r"schemas > ScheduledTaskResponse > properties > metadata > .*",
    # bounds that the specification states in its text
    r"schemas > .*Request > properties > max_agent_steps > anyOf > 0 > (minimum|maximum)",
    r"schemas > .*Request > properties > metadata > anyOf > 0 > maxProperties",
    r"schemas > .*Request > properties > metadata > anyOf > 0 > propertyNames > .*",
    r"schemas > .*Request > properties > metadata > anyOf > 0 > additionalProperties > maxLength",
    r"schemas > .*Request > allOf > (0|1) > .*",
    r"schemas > UploadFileRequest > properties > (file_name|content_type) > .*",
    # bounds without which a value would be meaningless
    rf"schemas > .*Request > properties > {_WIDTH}",
    r"schemas > .*Request > properties > interval_minutes > anyOf > 0 > (minimum|maximum)",
    r"schemas > .*Request > properties > (task|profile_name)( > anyOf > 0)? > (minLength|pattern)",
    r"schemas > Search.*Request > properties > (query|url) > (minLength|pattern)",
    r"schemas > SimpleSearchRequest > properties > query > (minLength|pattern)",
    r"operations > GET .* > parameters > query (page|limit) > schema > maximum",
    # the content of a string
    r"schemas > .*Request > properties > structured_output_json > .* > (format|contentMediaType)",
    r"schemas > .*Request > properties > cron_expression > anyOf > 0 > format",
)


def _published() -> dict[str, Any]:
    return dict(flattened(json.loads(PUBLISHED.read_text(encoding="utf-8"))))


def _ours() -> dict[str, Any]:
    return dict(flattened(facts_of(json.loads(documents()["openapi.json"]))))


def _unexplained(places: set[str], patterns: tuple[str, ...]) -> list[str]:
    return sorted(
        place
        for place in places
        if not any(re.fullmatch(pattern, place, flags=re.DOTALL) for pattern in patterns)
    )


def test_facts_that_both_documents_state_are_the_same():
    """Types, required fields, enums, defaults, bounds and names: nothing is contradicted."""
    published, ours = _published(), _ours()
    shared = published.keys() & ours.keys()

    assert {place: ours[place] for place in shared if ours[place] != published[place]} == {}
    assert len(shared) > 500


def test_nothing_published_is_missing_but_two_calls_and_empty_lists():
    """The left out ones are the two calls that the specification lacks."""
    assert _unexplained(_published().keys() - _ours().keys(), REMOVED) == []


def test_what_is_added_is_listed():
    """Every further fact has a reason in the list."""
    assert _unexplained(_ours().keys() - _published().keys(), ADDED) == []


@pytest.mark.parametrize("pattern", REMOVED)
def test_each_listed_omission_occurs(pattern):
    """The list of omissions has no entry that exists."""
    assert any(re.fullmatch(pattern, each) for each in _published().keys() - _ours().keys())


@pytest.mark.parametrize("pattern", ADDED)
def test_each_listed_addition_occurs(pattern):
    """The list of additions has no entry that is missing."""
    assert any(re.fullmatch(pattern, each) for each in _ours().keys() - _published().keys())


def test_every_reference_leads_somewhere():
    """Each referenced schema exists, and each schema is referenced."""
    document = json.loads(documents()["openapi.json"])
    referred = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))

    assert referred == set(document["components"]["schemas"])


@pytest.mark.parametrize("name", documents())
def test_the_files_are_what_the_rows_say(name):
    """After a change of a row or a model, `make openapi` writes them."""
    assert (FOLDER / name).read_text(encoding="utf-8") == documents()[name], "make openapi"


def test_every_call_has_a_summary():
    """Each row is explained in a sentence."""
    assert all(endpoint.summary.endswith(".") for endpoint in ENDPOINTS)
