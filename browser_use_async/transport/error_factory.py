"""Makes the errors of calls: what was sent, what happened, and what to do next."""

import contextlib
from collections.abc import Collection
from typing import Any

from browser_use_async import errors
from browser_use_async.api.endpoint_table import API_PREFIX, Effect, Endpoint
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.limits import KEY_BUDGET
from browser_use_async.api.submission_key import CONFLICT_TYPE, parse_key
from browser_use_async.transport.config import (
    DEFAULT_BASE_URL,
    DEFAULT_IS_GONE,
    Configuration,
)
from browser_use_async.transport.request import PreparedRequest
from browser_use_async.transport.response import (
    Outcome,
    OutcomeKind,
    Reply,
    is_redirect,
    kind_of_status,
)
from browser_use_async.transport.retry import retry_after_seconds

_MAX_DETAIL = 1500  # characters, so that a whole message stays below 2000
_MAX_READ = 60_000  # characters: a page of a megabyte need not be read to its end

_NOT_JSON = object()

_CHECK_STATUS = (
    "it was not sent again, because others may have paused or resumed the task meanwhile: look at "
    "its status, and call again if you still want that"
)

_WITHOUT_PREFIX = f"base_url does not end in {API_PREFIX}"

_NO_TRACE = (
    "the search may have been paid for. No call of the API shows whether it was, so it is not sent "
    "again: repeating it may pay twice"
)

_BY_STATUS: dict[int, type[errors.APIStatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    402: errors.PaymentRequiredError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
}

_ADVICE: dict[int, str] = {
    401: "check the API key",
    402: "add credits to the account, then call again",
    403: "check the API key and whether the plan includes this call",
    422: "correct the fields named here",
    429: "wait, or lower the number of calls and of tasks at once",
}


def error_of(
    prepared: PreparedRequest,
    outcome: Outcome,
    configuration: Configuration,
    served: Collection[str],
) -> errors.BrowserUseError:
    """A new error for a failed call; `served` names the calls that the server has accepted."""
    attempts, task_id, reply = prepared.attempts, prepared.task_id, outcome.reply
    times = "" if attempts <= 1 else f" after {attempts} attempts"
    if outcome.pause_left is not None:
        return errors.RateLimitError(
            f"{prepared} was not sent{times}: the service asked this session for a pause of which "
            f"{outcome.pause_left:.0f} s are left; call again after it",
            attempts=attempts,
            task_id=task_id,
            retry_after=outcome.pause_left,
        )
    if reply is not None and not 200 <= reply.status < 300:
        return _status_error(prepared, reply, times, configuration, served)
    if outcome.path is not None:
        is_page = reply is not None and reply.body.lstrip()[:1] == b"<"
        hint = "; it is a web page, so check that base_url points at the API and ends in /api/v1"
        return errors.ResponseDecodeError(
            f"{prepared} got an answer that does not fit Cloud API v1{times}: "
            f"{outcome.problem}{hint if is_page else ''}",
            path=outcome.path,
            task_id=task_id,
        )
    sent = outcome.kind is not OutcomeKind.NOT_SENT
    consequence = "the request was not sent; calling again is safe"
    if sent and not prepared.endpoint.leaves_a_trace:
        consequence = _NO_TRACE
    elif sent:
        consequence = "the request may have been carried out"
        if prepared.endpoint.effect is Effect.SWITCHES:
            consequence += f"; {_CHECK_STATUS}"
    if configuration.base_url == DEFAULT_BASE_URL:
        consequence += f"; {DEFAULT_IS_GONE}"
    kind = errors.APITimeoutError if outcome.timed_out else errors.APIConnectionError
    return kind(
        f"{prepared} got no answer{times}: {outcome.problem}; {consequence}",
        sent=sent,
        attempts=attempts,
        task_id=task_id,
    )


def _status_error(
    prepared: PreparedRequest,
    reply: Reply,
    times: str,
    configuration: Configuration,
    served: Collection[str],
) -> errors.BrowserUseError:
    key, body = configuration.api_key, prepared.body
    texts = {} if body is None or body.secrets is None else body.secrets
    secrets = (*(() if key is None else (key.reveal(),)), *texts.values())
    content: Any = _NOT_JSON
    with contextlib.suppress(JsonRefusedError):
        content = read_json(reply.body)
    # Redacted first: a text that is cut and joined could contain half of a secret.
    detail = printable_line(_redacted(_detail_text(content, reply.body), secrets), _MAX_DETAIL)
    common: dict[str, Any] = {
        "status": reply.status,
        "detail": detail or None,
        "request_id": reply.headers.get("X-Request-ID"),
        "attempts": prepared.attempts,
        "task_id": prepared.task_id,
    }
    said = f" ({detail})" if detail else ""
    start = f"{prepared} was answered with {reply.status}{said}{times}"
    # FastAPI answers exactly this for a missing route; a 404 of the API itself names what was not
    # found.
    is_no_route = content is _NOT_JSON or content == {"detail": "Not Found"}
    is_new = prepared.endpoint.name not in served
    if reply.status == 404 and (is_no_route or (is_new and not _names_something(prepared))):
        why = _why_not_served(prepared.endpoint, served, configuration.base_url)
        return errors.APINotServedError(f"{start}: {why}", **common)
    # Credit for the account would not enlarge the budget of one key.
    says_how = reply.status == 402 and detail.startswith(KEY_BUDGET)
    advice = None if says_how else _advice(prepared, reply.status)
    if reply.status == 404:
        advice = _not_found_advice(prepared, served, configuration.base_url)
    if is_redirect(reply.status):
        return errors.APIStatusError(
            f"{start}: redirects are not followed, so that the key reaches one origin only; "
            "set base_url to the address that the API really has"
            f"{'' if advice is None else f'; {advice}'}",
            **common,
        )
    message = start if advice is None else f"{start}; {advice}"
    if reply.status == 422 and prepared.key is not None:
        conflict = _key_conflict(content, prepared.key)
        if conflict is not None:
            return conflict
    if reply.status == 422:
        items = _field_errors(content, secrets)
        return errors.UnprocessableEntityError(message, errors=items, **common)
    if reply.status == 429:
        seconds = retry_after_seconds(reply.headers)
        asks = "" if seconds is None else f"; the server asks for a pause of {seconds:g} s"
        return errors.RateLimitError(message + asks, retry_after=seconds, **common)
    default = errors.InternalServerError if reply.status >= 500 else errors.APIStatusError
    return _BY_STATUS.get(reply.status, default)(message, **common)


def _key_conflict(content: Any, key: str) -> errors.SubmissionKeyConflictError | None:
    """The error if an answer says that the key belongs to another request, else None."""
    detail = content.get("detail") if isinstance(content, dict) else None
    for item in detail if isinstance(detail, list) else []:
        if isinstance(item, dict) and item.get("type") == CONFLICT_TYPE:
            context = item.get("ctx")
            given: dict[str, Any] = context if isinstance(context, dict) else {}
            found, names = given.get("id"), given.get("fields")
            fields = [each for each in names if isinstance(each, str)] if names else []
            resource_id = printable_line(found, 100) if isinstance(found, str) else None
            shown = tuple(printable_line(each, 100) for each in fields[:100])
            return errors.SubmissionKeyConflictError.of(parse_key(key), resource_id, shown)
    return None


def _names_something(prepared: PreparedRequest) -> bool:
    """Whether a call names something that may be missing: a task, a profile, a file, an owner."""
    body = b"" if prepared.body is None else prepared.body.content
    in_body = b'"browser_profile_id":' in body or b'"included_file_names":' in body
    in_target = "{" in prepared.endpoint.path or "owner=" in prepared.target
    return in_body or in_target or prepared.task_id is not None


def _why_not_served(endpoint: Endpoint, served: Collection[str], base_url: str) -> str:
    """Why a route may be missing, given the calls that the server has accepted."""
    if endpoint.name in served:
        return (
            f"the server answered {endpoint} before, so it, or a gateway in front of it, is being "
            "changed; call again later"
        )
    if served:
        return f"this server has no {endpoint}, though it answers other calls of Cloud API v1"
    where = "check base_url" if base_url.endswith(API_PREFIX) else _WITHOUT_PREFIX
    return (
        f"this server does not serve Cloud API v1 here; {where}. The hosted "
        "v1 routes were reported gone in 2026: `browser-use-async serve` runs a v1 server"
    )


def _not_found_advice(prepared: PreparedRequest, served: Collection[str], base_url: str) -> str:
    """What to check of a call whose id, or file, the server does not know."""
    is_file = "{file_name}" in prepared.endpoint.path
    names = "the id and the file's name" if is_file else "the id"
    advice = f"check {names}, and that the key is of the account that owns it"
    # A server that has accepted a call is at this address.
    if served or base_url.endswith(API_PREFIX):
        return advice
    return f"{_WITHOUT_PREFIX}; else {advice}"


def _advice(prepared: PreparedRequest, status: int) -> str | None:
    if status in _ADVICE:
        return _ADVICE[status]
    if kind_of_status(status) is not OutcomeKind.AMBIGUOUS:
        return None
    if not prepared.endpoint.leaves_a_trace:
        return _NO_TRACE
    if prepared.endpoint.effect is Effect.CREATES:
        return "it may have been carried out, so look before calling again"
    return _CHECK_STATUS if prepared.endpoint.effect is Effect.SWITCHES else None


def _detail_text(content: Any, body: bytes) -> str:
    if content is _NOT_JSON:
        return body.decode("utf-8", "replace")
    detail = content
    # The text can be nested, as in `{"detail": {"message": "..."}}`.
    while isinstance(detail, dict):
        detail = detail.get("detail", detail.get("message"))
    if isinstance(detail, str):
        return detail
    if isinstance(detail, list):
        return "; ".join(_field_error_text(each) for each in detail if isinstance(each, dict))
    return ""


def printable_line(text: str, length: int) -> str:
    """One line that a terminal can show, of at most so many characters."""
    # Other characters could move the cursor of a terminal, or begin another line in a log.
    start = text[:_MAX_READ]
    printable = "".join(character if character.isprintable() else " " for character in start)
    return " ".join(printable.split())[:length]


def _field_error_text(error: dict[str, Any]) -> str:
    place = error.get("loc")
    names = [str(part) for part in place] if isinstance(place, list) else []
    return f"{'.'.join(names)}: {error.get('msg')}"


def _field_errors(content: Any, secrets: tuple[str, ...]) -> list[dict[str, Any]]:
    """What the service says about each field."""
    # Without `input`, which repeats the request and can contain task secrets.
    detail = content.get("detail") if isinstance(content, dict) else None
    items = detail if isinstance(detail, list) else []
    return [
        {
            name: _redacted(value, secrets) if isinstance(value, str) else value
            for name, value in item.items()
            if name in {"loc", "msg", "type"}
        }
        for item in items
        if isinstance(item, dict)
    ]


def _redacted(text: str, secrets: tuple[str, ...]) -> str:
    for each in secrets:
        if each:  # an empty text is between any two characters
            text = text.replace(each, "***")
    return text
