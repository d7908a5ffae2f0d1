"""Every exception that the package raises.

Each one says what happened, to which task, what was sent, and what to do next. All of them
pickle, and none of them carries the API key, a task secret or a signed URL.

BrowserUseError
├── ConfigurationError                   wrong key, base URL or option; nothing was sent
├── InvalidRequestError (ValueError)     refused before sending; names the field
├── SessionClosedError                   used after aclose()
├── WrongEventLoopError                  used in another event loop or after a fork
├── APIConnectionError                   no usable answer; .sent is False if provably not sent
│   └── APITimeoutError (TimeoutError)
├── APIStatusError                       the server answered with an error status
│   ├── BadRequestError            400
│   ├── AuthenticationError        401
│   ├── PaymentRequiredError       402
│   ├── PermissionDeniedError      403
│   ├── NotFoundError              404
│   ├── APINotServedError          404 for a route that Cloud API v1 has
│   ├── ConflictError              409
│   ├── UnprocessableEntityError   422
│   ├── RateLimitError             429
│   └── InternalServerError        5xx
├── BudgetExceededError                  more than what remains of a `session.budget`; nothing sent
├── ResponseDecodeError                  the answer is not what the API promises; .path says where
├── SubmissionUnknownError               a paid task may or may not exist; .resolve() finds out
├── SubmissionKeyConflictError           the key names other work already; nothing was created
├── TaskError                            the task ended without success; .task is the whole task
│   ├── TaskFailedError
│   └── TaskStoppedError
├── OutputValidationError                the output does not fit output_type; .raw_output keeps it
├── WaitTimeoutError (TimeoutError)      the wait timed out; the task keeps running
├── WaitInterruptedError                 the API stayed unreachable for too long during a wait
├── FileTransferError
│   ├── UnsafeFileNameError
│   └── UnsupportedFileError
├── BatchInputError                      the input of a batch raised an error of its own
├── LedgerError
│   ├── LedgerLockedError
│   ├── LedgerMismatchError
│   ├── LedgerCorruptError
│   └── LedgerVersionError
└── WebhookVerificationError
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack

if TYPE_CHECKING:
    from decimal import Decimal

    from browser_use_async.events import Timeline

__all__ = [
    "APIConnectionError",
    "APINotServedError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BatchInputError",
    "BrowserUseError",
    "BudgetExceededError",
    "ConfigurationError",
    "ConflictError",
    "FileTransferError",
    "InternalServerError",
    "InvalidRequestError",
    "LedgerCorruptError",
    "LedgerError",
    "LedgerLockedError",
    "LedgerMismatchError",
    "LedgerVersionError",
    "NotFoundError",
    "OutputValidationError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseDecodeError",
    "SessionClosedError",
    "SubmissionKeyConflictError",
    "SubmissionUnknownError",
    "TaskError",
    "TaskFailedError",
    "TaskStoppedError",
    "UnprocessableEntityError",
    "UnsafeFileNameError",
    "UnsupportedFileError",
    "WaitInterruptedError",
    "WaitTimeoutError",
    "WebhookVerificationError",
    "WrongEventLoopError",
]


class BrowserUseError(Exception):
    """Base of everything that the package raises on purpose.

    Attributes:
        task_id: The task that the failed call was about, when there is one.
        timeline: What happened before, for errors of calls, submissions and waits; else None.
    """

    task_id: str | None = None
    timeline: "Timeline | None" = None

    def __init__(self, message: str, *, task_id: str | None = None) -> None:
        super().__init__(message)
        if task_id is not None:
            self.task_id = task_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, so that subclasses may demand keyword arguments."""
        return _restore, (type(self), self.args, self._state())

    def _state(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def _render_traceback_(self) -> list[str]:
        """The traceback in IPython and notebooks: ten lines at most. `%tb Verbose` shows all."""
        from browser_use_async.short_traceback import short_traceback  # noqa: PLC0415

        return short_traceback(self)


def _restore(
    error_class: type[BrowserUseError], arguments: tuple[Any, ...], state: dict[str, Any]
) -> BrowserUseError:
    # Without `__init__`: subclasses require keyword arguments that `args` does not contain.
    error = error_class.__new__(error_class)
    error.args = arguments
    error.__dict__.update(state)
    return error


class ConfigurationError(BrowserUseError):
    """A setting of the session is invalid. Nothing was sent."""


class InvalidRequestError(BrowserUseError, ValueError):
    """A request was refused before anything was sent.

    Attributes:
        field: The name of the argument at fault, as the API spells it.
    """

    def __init__(self, message: str, *, field: str, task_id: str | None = None) -> None:
        super().__init__(message, task_id=task_id)
        self.field = field


class SessionClosedError(BrowserUseError):
    """The session was used after `aclose()`, or closed while the call was under way."""


class WrongEventLoopError(BrowserUseError):
    """The session belongs to another event loop, or to the process before a fork."""


class APIConnectionError(BrowserUseError):
    """No usable answer came back.

    Attributes:
        sent: False if the request provably never left this machine; True if it may have
            been carried out.
        attempts: How many requests were made for this call.
    """

    def __init__(
        self, message: str, *, sent: bool, attempts: int = 1, task_id: str | None = None
    ) -> None:
        super().__init__(message, task_id=task_id)
        self.sent = sent
        self.attempts = attempts


class APITimeoutError(APIConnectionError, TimeoutError):
    """An attempt took longer than the session's `timeout`."""


class _Answer(TypedDict, total=False):
    """What an `APIStatusError` takes besides its status."""

    detail: str | None
    request_id: str | None
    attempts: int
    task_id: str | None


class APIStatusError(BrowserUseError):
    """The server answered with an error status.

    Attributes:
        status: The HTTP status.
        detail: The server's own explanation: the `detail` of its JSON, or the start of its text.
        request_id: The id under which the service logged the request, when it gave one.
        attempts: How many requests were made for this call.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        detail: str | None = None,
        request_id: str | None = None,
        attempts: int = 1,
        task_id: str | None = None,
    ) -> None:
        super().__init__(message, task_id=task_id)
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.attempts = attempts


class BadRequestError(APIStatusError):
    """400: the request is not possible now, such as pausing a task that has ended."""


class AuthenticationError(APIStatusError):
    """401: the API key is missing, wrong or revoked."""


class PaymentRequiredError(APIStatusError):
    """402: the balance does not cover the call."""


class PermissionDeniedError(APIStatusError):
    """403: the key is not accepted, or the plan lacks this feature."""


class NotFoundError(APIStatusError):
    """404: no such task, schedule, profile or file under this account."""


class APINotServedError(APIStatusError):
    """404 for a route that every Cloud API v1 server has: this server does not speak v1."""


class ConflictError(APIStatusError):
    """409: the resource is in a state that forbids the call."""


class UnprocessableEntityError(APIStatusError):
    """422: the server refused fields of the request.

    Attributes:
        errors: One mapping per refused field with `loc`, `msg` and `type`. The echoed `input` is
            dropped, because it can contain task secrets.
    """

    def __init__(
        self,
        message: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        status: int = 422,
        **answer: Unpack[_Answer],
    ) -> None:
        super().__init__(message, status=status, **answer)
        self.errors = list(errors)


class RateLimitError(APIStatusError):
    """429: too many requests, or too many tasks at once.

    Attributes:
        retry_after: Seconds that the server asked to wait, or None if it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        status: int = 429,
        **answer: Unpack[_Answer],
    ) -> None:
        super().__init__(message, status=status, **answer)
        self.retry_after = retry_after


class InternalServerError(APIStatusError):
    """5xx: the service failed."""


class BudgetExceededError(BrowserUseError):
    """A call may cost more than a budget around it has left. Nothing was sent.

    Attributes:
        needed_cents: What it may cost at most, in US cents.
        limit_cents: What the budget allows, in US cents.
        spent_cents: What was spent of it, in US cents.
        reserved_cents: What is reserved for tasks that may still run, in US cents.
    """

    def __init__(
        self,
        message: str,
        *,
        needed_cents: "Decimal",
        limit_cents: "Decimal",
        spent_cents: "Decimal",
        reserved_cents: "Decimal",
    ) -> None:
        super().__init__(message)
        self.needed_cents = needed_cents
        self.limit_cents = limit_cents
        self.spent_cents = spent_cents
        self.reserved_cents = reserved_cents


class ResponseDecodeError(BrowserUseError):
    """An answer with a good status that is not what the API promises.

    Attributes:
        path: The place of the problem in the JSON, such as `$.tasks[0].status`.
    """

    def __init__(self, message: str, *, path: str = "$", task_id: str | None = None) -> None:
        super().__init__(message, task_id=task_id)
        self.path = path


# This module is at the lowest level: types raise its errors, so a task in an error is `Any` here,
# and a session is a protocol.
class _Resolver(Protocol):
    async def resolve(self, submission_token: str) -> Any: ...


class _Session(Protocol):
    @property
    def _creator(self) -> _Resolver: ...


class SubmissionUnknownError(BrowserUseError):
    """The answer to run-task was lost, so a paid task may or may not exist.

    Attributes:
        submission_token: A text that names the submission, for another process:
            `browser-use-async watch TOKEN` finds the task, and `resolve` of an error with this
            token does. Empty if the task carries no token (ten metadata pairs of the user's own,
            or a plain `session.tasks.run`).
    """

    def __init__(
        self, message: str, *, submission_token: str, resolver: _Resolver | None = None
    ) -> None:
        super().__init__(message)
        self.submission_token = submission_token
        self._resolver = resolver

    async def resolve(self, session: _Session | None = None) -> Any:
        """Look for the task that the lost submission may have created. Costs no money.

        Args:
            session: The session to search with; by default the one that submitted. An unpickled
                error needs one.

        Returns:
            The `Task`, or None if it did not appear within the rest of the settle window.

        Raises:
            ConfigurationError: There is no session to ask, or the task carries no token.
            InvalidRequestError: The token is no submission token.
        """
        resolver = self._resolver if session is None else session._creator  # noqa: SLF001
        if resolver is None:
            raise ConfigurationError(
                "pass a session, as in error.resolve(session): this error comes from another "
                "process or a file, and has none"
            )
        if not self.submission_token:
            raise ConfigurationError(
                "this task was sent without a submission token, so the SDK cannot find it; look "
                "for it yourself with session.iterate_all_tasks()"
            )
        return await resolver.resolve(self.submission_token)

    def _state(self) -> dict[str, Any]:
        # A session cannot be pickled; after unpickling, `resolve` needs another one.
        return {**self.__dict__, "_resolver": None}


class SubmissionKeyConflictError(BrowserUseError):
    """The key already names other work: it was sent before with another request.

    Nothing was created. Use another key, or send the first request again.

    Attributes:
        task_id: The task that the key names.
        key: The key.
        fields: The names of the fields that differ, as far as they are known.
    """

    def __init__(
        self, message: str, *, key: str, task_id: str | None, fields: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, task_id=task_id)
        self.key = key
        self.fields = fields

    @classmethod
    def of(
        cls,
        key: str,
        task_id: str | None,
        fields: tuple[str, ...],
        way_out: str = "Use another key, or the same request as before",
    ) -> "SubmissionKeyConflictError":
        """The error with its message."""
        what = "something else" if task_id is None else f"task {task_id}"
        differing = f" (not the same: {', '.join(fields)})" if fields else ""
        return cls(
            f"the key {key!r} names {what}, which was created with another request{differing}; "
            f"nothing was created. {way_out}",
            key=key,
            task_id=task_id,
            fields=fields,
        )


class TaskError(BrowserUseError):
    """A task ended without success.

    Attributes:
        task: The whole `Task`: its steps, files and output are not lost.
    """

    task_id: str  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, message: str, *, task: Any) -> None:
        super().__init__(message, task_id=task.id)
        self.task = task


class TaskFailedError(TaskError):
    """The task ended as `failed`, or in a terminal status that this version does not know."""


class TaskStoppedError(TaskError):
    """The task was stopped."""


class OutputValidationError(BrowserUseError):
    """The task finished, but its output does not fit `output_type`.

    Attributes:
        task: The finished `Task`.
        raw_output: The output of the task, unchanged. It was paid for.
    """

    task_id: str  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, message: str, *, task: Any, raw_output: str | None) -> None:
        super().__init__(message, task_id=task.id)
        self.task = task
        self.raw_output = raw_output


class WaitTimeoutError(BrowserUseError, TimeoutError):
    """The time of a wait is up. If the last poll failed, `__cause__` is its error.

    Attributes:
        last_status: The last `TaskStatus` seen, or None if none was.
    """

    task_id: str  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, message: str, *, task_id: str, last_status: str | None) -> None:
        super().__init__(message, task_id=task_id)
        self.last_status = last_status


class WaitInterruptedError(BrowserUseError):
    """The API stayed unreachable during a wait; `__cause__` is the last failure.

    That was longer than `PollPolicy.outage_timeout`. If it is unknown whether the task exists, the
    limit is `RetryPolicy.max_attempts` requests.

    Attributes:
        last_status: The last `TaskStatus` seen, or None if none was.
    """

    task_id: str  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, message: str, *, task_id: str, last_status: str | None) -> None:
        super().__init__(message, task_id=task_id)
        self.last_status = last_status


class FileTransferError(BrowserUseError):
    """A file could not be uploaded or downloaded whole."""


class UnsafeFileNameError(FileTransferError):
    """A file name that would lead out of its directory, or that file systems do not accept."""


class UnsupportedFileError(FileTransferError):
    """A file of a type or size that the API does not accept."""


class BatchInputError(BrowserUseError):
    """The iterable that was given to `run_many` raised an exception of its own.

    Attributes:
        index: How many items it had yielded before.
    """

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index = index


class LedgerError(BrowserUseError):
    """The durable record of a batch cannot be used."""


class LedgerLockedError(LedgerError):
    """Another process uses the ledger."""


class LedgerMismatchError(LedgerError):
    """The input differs from what the ledger recorded under the same key."""


class LedgerCorruptError(LedgerError):
    """The ledger file is damaged."""


class LedgerVersionError(LedgerError):
    """The ledger was written by a newer version of this package."""


class WebhookVerificationError(BrowserUseError):
    """A webhook call that is not authentic, not fresh or not well formed.

    Attributes:
        status: The HTTP status to answer with: 400, 403 or 413.
        reason: Why, in one word, for counters: `header` (missing or malformed), `stale`,
            `signature`, `body` or `too_large`.
    """

    def __init__(
        self, message: str, *, status: int = 400, reason: str = "header", task_id: str | None = None
    ) -> None:
        super().__init__(message, task_id=task_id)
        self.status = status
        self.reason = reason
