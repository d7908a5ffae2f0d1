import copy
import pickle
from typing import Any, get_type_hints

import attrs
import pytest

from browser_use_async.types import (
    UNSET,
    CreateBrowserProfileFields,
    CreateBrowserProfileRequest,
    CreateScheduledTaskFields,
    CreateScheduledTaskRequest,
    NamedBrowserProfileFields,
    RunTaskFields,
    RunTaskRequest,
    SecretMapping,
    Unset,
    UpdateBrowserProfileRequest,
    UpdateScheduledTaskFields,
    UpdateScheduledTaskRequest,
    rules_of,
)
from tests.api.answers import ROWS

CANARY = "canary-secret-4711"

MODELS = sorted(
    {
        model
        for row in ROWS.values()
        for model in (row.parameters, row.query, row.body)
        if model is not None
    },
    key=lambda model: model.__name__,
)


def _request(**more: Any) -> RunTaskRequest:
    return RunTaskRequest("Log in", secrets={"password": CANARY}, **more)


def test_unset_is_one_object():
    """`UNSET` survives copying and pickling as the same object, so `is UNSET` always works."""
    assert copy.copy(UNSET) is UNSET
    assert copy.deepcopy(UNSET) is UNSET
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert Unset.UNSET is UNSET


def test_unset_is_neither_null_nor_true():
    """`UNSET` is falsy, is not None, and shows its name."""
    assert not UNSET
    assert UNSET is not None
    assert repr(UNSET) == "UNSET"


def test_fields_that_are_not_given_are_unset():
    """A request of one argument leaves all the other fields unset, rather than null or default."""
    request = RunTaskRequest("Buy milk")
    others = [field.name for field in attrs.fields(RunTaskRequest) if field.name != "task"]

    assert {getattr(request, name) for name in others} == {UNSET}


def test_null_is_not_unset():
    """None is a value of its own: it selects the browser profile's setting."""
    assert RunTaskRequest("Buy milk", use_proxy=None) != RunTaskRequest("Buy milk")


OF_SCRIPTS = {"script", "inputs"}  # which become metadata pairs
KEYWORDS = pytest.mark.parametrize(
    ("fields", "model", "positional"),
    [
        (RunTaskFields, RunTaskRequest, {"task"}),
        (CreateScheduledTaskFields, CreateScheduledTaskRequest, {"task"}),
        (UpdateScheduledTaskFields, UpdateScheduledTaskRequest, set()),
        (CreateBrowserProfileFields, CreateBrowserProfileRequest, {"profile_name"}),
        (NamedBrowserProfileFields, UpdateBrowserProfileRequest, set()),
    ],
)


@KEYWORDS
def test_keyword_fields_are_those_of_the_request(fields, model, positional):
    """A TypedDict of keyword fields has the request's fields without the positional ones."""
    expected = {field.name for field in attrs.fields(model)} - positional
    required = {name for name, rule in rules_of(model).items() if rule.required}

    if "task" in positional:
        expected |= OF_SCRIPTS
    assert set(get_type_hints(fields)) == expected
    assert fields.__required_keys__ == required - positional


@KEYWORDS
def test_keyword_fields_have_the_types_of_the_request(fields, model, positional):
    """Each keyword field has the request field's type, except that it cannot be `UNSET`."""
    of_request = get_type_hints(model)

    for name, annotation in get_type_hints(fields).items():
        if name in OF_SCRIPTS:
            continue
        own = of_request[name]
        assert own in {annotation, annotation | Unset, annotation | Unset | None}, name


@pytest.mark.parametrize("model", MODELS)
def test_every_request_field_has_a_rule(model):
    """Validation finds a rule on every field of every request class."""
    rules = rules_of(model)
    for field in attrs.fields(model):
        if field.name != "extra_fields":  # which the API does not know
            assert rules[field.name].required is (field.default is attrs.NOTHING), field.name


@pytest.mark.parametrize("model", MODELS)
def test_requests_are_frozen(model):
    """A request cannot change after its check and before it is sent."""
    required = {f.name: "x" for f in attrs.fields(model) if f.default is attrs.NOTHING}
    request = model(**required)
    name = attrs.fields(model)[0].name

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(request, name, "other")


def test_secrets_stay_out_of_every_text():
    """The repr shows the names of secrets, and no text of a request shows their values."""
    request = _request(metadata={"team": "marketing"})
    texts = [repr(request), str(request), f"{request}", f"{request.secrets}", f"{[request]}"]

    assert all(CANARY not in text for text in texts)
    assert "'password': '***'" in repr(request)
    assert "marketing" in repr(request)


def test_secrets_stay_out_of_dictionaries_made_of_requests():
    """`attrs.asdict` keeps the mapping that hides its values."""
    assert CANARY not in repr(attrs.asdict(_request()))


def test_secrets_can_be_read_and_compared():
    """The hidden mapping has the methods of a mapping, and equals others with the same pairs."""
    secrets = _request().secrets

    assert isinstance(secrets, SecretMapping)
    assert dict(secrets) == {"password": CANARY}
    assert len(secrets) == 1
    assert "password" in secrets
    assert secrets == SecretMapping({"password": CANARY})
    assert secrets != SecretMapping({"password": "other"})


def test_secrets_do_not_follow_changes_of_the_callers_mapping():
    """The request keeps its original pairs."""
    pairs = {"password": CANARY}
    request = RunTaskRequest("Log in", secrets=pairs)

    pairs.clear()

    assert dict(request.secrets or {}) == {"password": CANARY}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_requests_with_secrets_are_not_pickled(protocol):
    """Pickling a request with secrets fails instead of writing them somewhere."""
    with pytest.raises(TypeError, match="task secrets are not pickled"):
        pickle.dumps(_request(), protocol)


@pytest.mark.parametrize("secrets", [UNSET, None])
def test_requests_without_secrets_pickle(secrets):
    """A request without secrets can be pickled unchanged, unset fields included."""
    request = RunTaskRequest(
        "Buy milk", secrets=secrets, metadata={"a": "b"}, allowed_domains=["example.com"]
    )

    again = pickle.loads(pickle.dumps(request))

    assert again == request
    assert again.llm_model is UNSET


def test_a_request_with_secrets_can_be_copied_in_memory():
    """`copy.copy` and `attrs.evolve` work, because they write nothing anywhere."""
    request = _request()

    assert copy.copy(request) == request
    assert attrs.evolve(request, task="Log out").secrets == request.secrets


@pytest.mark.parametrize("secrets", [CANARY, 5, [("password", CANARY)]])
def test_malformed_secrets_are_left_to_validation(secrets):
    """A value that is no mapping is kept for the typed refusal later, and is not shown either."""
    request = RunTaskRequest("Log in", secrets=secrets)

    assert request.secrets == secrets
    assert "secrets=***," in repr(request)
