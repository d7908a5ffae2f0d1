import builtins
import copy
import inspect
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from browser_use_async import errors
from browser_use_async.errors import (
    APIStatusError,
    BrowserUseError,
    ConfigurationError,
    SubmissionUnknownError,
)
from browser_use_async.types import Task, TaskStatus
from tests.support.hygiene import LIVE_TOKEN

_BRANCH = re.compile(r"^((?:│   |    )*)[├└]── (\w+)(?: \((\w+)\))?")

TASK = Task(
    id="t-1",
    task="Buy milk",
    status=TaskStatus("archived"),
    created_at=datetime(2025, 11, 1, tzinfo=UTC),
    live_url=f"https://live.example.net/?token={LIVE_TOKEN}",
)


def _status_error(
    error_class: type[APIStatusError], **more: object
) -> Callable[[], BrowserUseError]:
    return lambda: error_class(
        "the server said no",
        **{"detail": "No", "request_id": "r-1", "attempts": 3, "task_id": "t-1", **more},
    )


BUILDERS: dict[str, Callable[[], BrowserUseError]] = {
    **{
        name: lambda name=name: getattr(errors, name)("what happened", task_id="t-1")
        for name in (
            "BrowserUseError",
            "ConfigurationError",
            "SessionClosedError",
            "WrongEventLoopError",
            "FileTransferError",
            "UnsafeFileNameError",
            "UnsupportedFileError",
            "LedgerError",
            "LedgerLockedError",
            "LedgerMismatchError",
            "LedgerCorruptError",
            "LedgerVersionError",
            "WebhookVerificationError",
        )
    },
    **{
        name: _status_error(getattr(errors, name), status=status)
        for name, status in (
            ("APIStatusError", 418),
            ("BadRequestError", 400),
            ("AuthenticationError", 401),
            ("PaymentRequiredError", 402),
            ("PermissionDeniedError", 403),
            ("NotFoundError", 404),
            ("APINotServedError", 404),
            ("ConflictError", 409),
            ("InternalServerError", 503),
        )
    },
    "UnprocessableEntityError": _status_error(
        errors.UnprocessableEntityError,
        errors=[{"loc": ["body", "task"], "msg": "Field required", "type": "missing"}],
    ),
    "RateLimitError": _status_error(errors.RateLimitError, retry_after=2.5),
    "InvalidRequestError": lambda: errors.InvalidRequestError("no task", field="task"),
    "APIConnectionError": lambda: errors.APIConnectionError("refused", sent=False, attempts=2),
    "APITimeoutError": lambda: errors.APITimeoutError("slow", sent=True, task_id="t-1"),
    "BudgetExceededError": lambda: errors.BudgetExceededError(
        "too much",
        needed_cents=Decimal(9),
        limit_cents=Decimal(8),
        spent_cents=Decimal(1),
        reserved_cents=Decimal("2.5"),
    ),
    "ResponseDecodeError": lambda: errors.ResponseDecodeError("odd", path="$.tasks[0].status"),
    "SubmissionUnknownError": lambda: SubmissionUnknownError("lost", submission_token="tok"),
    "SubmissionKeyConflictError": lambda: errors.SubmissionKeyConflictError.of(
        "invoice-7", "t-1", ("task", "llm_model")
    ),
    "TaskError": lambda: errors.TaskError("ended badly", task=TASK),
    "TaskFailedError": lambda: errors.TaskFailedError("failed", task=TASK),
    "TaskStoppedError": lambda: errors.TaskStoppedError("stopped", task=TASK),
    "OutputValidationError": lambda: errors.OutputValidationError(
        "no JSON", task=TASK, raw_output="prose"
    ),
    "WaitTimeoutError": lambda: errors.WaitTimeoutError(
        "time is up", task_id="t-1", last_status=TaskStatus.RUNNING
    ),
    "WaitInterruptedError": lambda: errors.WaitInterruptedError(
        "unreachable", task_id="t-1", last_status=TaskStatus("stopping")
    ),
    "BatchInputError": lambda: errors.BatchInputError("the input broke", index=7),
}


def _public_attributes(error: BaseException) -> dict[str, object]:
    return {name: value for name, value in vars(error).items() if not name.startswith("_")}


def _drawn_tree() -> dict[str, tuple[str, str | None]]:
    """Each class of the drawn tree with its parent and the builtin in parentheses."""
    path = ["BrowserUseError"]
    drawn: dict[str, tuple[str, str | None]] = {}
    for line in (errors.__doc__ or "").splitlines():
        if match := _BRANCH.match(line):
            depth = len(match[1]) // 4 + 1
            del path[depth:]
            drawn[match[2]] = (path[-1], match[3])
            path.append(match[2])
    return drawn


def _real_tree() -> dict[str, tuple[str, str | None]]:
    real: dict[str, tuple[str, str | None]] = {}
    for name, each in inspect.getmembers(errors, inspect.isclass):
        if issubclass(each, BrowserUseError) and each is not BrowserUseError:
            ours, *others = each.__bases__
            real[name] = (ours.__name__, others[0].__name__ if others else None)
    return real


def test_the_drawn_tree_is_the_real_one():
    """The tree in the module's docstring shows every class under its parent, and no other."""
    assert _real_tree() == _drawn_tree()


def test_every_class_is_exported():
    """`__all__` lists every public exception, sorted, and nothing else."""
    assert sorted(["BrowserUseError", *_real_tree()]) == errors.__all__


def test_every_class_has_a_builder_below():
    """Each class has an entry in the tests of pickling and copying."""
    assert set(BUILDERS) == set(errors.__all__)


def test_every_class_says_what_it_means():
    """Each exception has a docstring of its own."""
    undocumented = [name for name in errors.__all__ if not vars(getattr(errors, name))["__doc__"]]

    assert not undocumented


@pytest.mark.parametrize("name", errors.__all__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_everything(name, protocol):
    """An unpickled exception has the same class, text, attributes and notes."""
    error = BUILDERS[name]()
    error.add_note("on line 3 of the batch")

    again = pickle.loads(pickle.dumps(error, protocol))

    assert type(again) is type(error)
    assert again.args == error.args
    assert str(again) == str(error)
    assert _public_attributes(again) == _public_attributes(error)
    assert again.task_id == error.task_id
    assert again.__notes__ == ["on line 3 of the batch"]


@pytest.mark.parametrize("name", errors.__all__)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copying_keeps_everything(name, duplicate):
    """`copy` and `deepcopy` return an equal exception, as TaskGroup-like tools expect."""
    error = BUILDERS[name]()

    again = duplicate(error)

    assert again is not error
    assert type(again) is type(error)
    assert _public_attributes(again) == _public_attributes(error)


@pytest.mark.parametrize("name", errors.__all__)
def test_no_text_shows_a_live_url(name):
    """Neither str nor repr of an exception shows the live URL of its task."""
    error = BUILDERS[name]()

    assert "canary" not in f"{error} {error!r} {error.args}"


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("InvalidRequestError", ValueError),
        ("APITimeoutError", TimeoutError),
        ("WaitTimeoutError", TimeoutError),
    ],
)
def test_builtin_bases(name, builtin):
    """Code that catches Python's own exceptions catches these."""
    error = BUILDERS[name]()

    with pytest.raises(builtin):
        raise error


def test_other_errors_are_no_builtin_ones():
    """No other exception is caught by `except ValueError`, `OSError` and the like by accident."""
    ours = set(errors.__all__)
    odd = {
        name: base.__name__
        for name in errors.__all__
        for base in getattr(errors, name).__mro__
        if base.__name__ not in ours
        and base not in {Exception, BaseException, object}
        and hasattr(builtins, base.__name__)
    }

    assert odd == {
        "InvalidRequestError": "ValueError",
        "APITimeoutError": "OSError",
        "WaitTimeoutError": "OSError",
    }


def test_a_task_id_is_always_an_attribute():
    """`error.task_id` is None rather than missing when no task is concerned."""
    assert ConfigurationError("no key").task_id is None


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        ("UnprocessableEntityError", 422),
        ("RateLimitError", 429),
    ],
)
def test_statuses_of_classes(builder, expected):
    """The two classes for one status have it by default."""
    error = BUILDERS[builder]()

    assert isinstance(error, APIStatusError)
    assert error.status == expected


def test_error_of_a_task_names_the_task():
    """An error that carries a task has that task's id."""
    assert BUILDERS["TaskFailedError"]().task_id == "t-1"
    assert BUILDERS["OutputValidationError"]().task_id == "t-1"


class FakeSession:
    """Takes the place of a session and of its creator of tasks: resolving needs one method."""

    def __init__(self) -> None:
        self._creator = self
        self.asked: list[str] = []

    async def resolve(self, submission_token: str) -> Task | None:
        """Remember the token and find the task."""
        self.asked.append(submission_token)
        return TASK


async def test_resolve_asks_the_session_that_submitted():
    """Without an argument the session that raised the error searches."""
    session = FakeSession()
    error = SubmissionUnknownError("lost", submission_token="tok", resolver=session)

    found = await error.resolve()

    assert found is TASK
    assert session.asked == ["tok"]


async def test_resolve_asks_another_session_when_given_one():
    """An argument has priority over the session that raised the error."""
    first, second = FakeSession(), FakeSession()
    error = SubmissionUnknownError("lost", submission_token="tok", resolver=first)

    await error.resolve(second)

    assert (first.asked, second.asked) == ([], ["tok"])


async def test_resolve_after_unpickling_wants_a_session():
    """The session is not pickled; the error says so, and works with another one."""
    session = FakeSession()
    error = SubmissionUnknownError("lost", submission_token="tok", resolver=session)

    again = pickle.loads(pickle.dumps(error))

    with pytest.raises(ConfigurationError, match="pass a session"):
        await again.resolve()
    assert await again.resolve(session) is TASK


async def test_resolve_without_a_token_says_what_to_do():
    """A task without a token cannot be searched, and no session is used."""
    session = FakeSession()
    error = SubmissionUnknownError("lost", submission_token="", resolver=session)

    with pytest.raises(ConfigurationError, match=r"session\.iterate_all_tasks"):
        await error.resolve()
    assert session.asked == []
