"""The calls that a server answers with JSON: row, required scopes, and operation.

Operations of the API stand in `server.operations`, those below `/admin` in `server.admin`, each
under its row. A refusal is an error of `server.errors`; `http.errors` has the one map to statuses.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from browser_use_async.api.endpoint_table import API_PREFIX, ME, Effect, Endpoint
from browser_use_async.server.keys.api_key import Scope

# Called with the `RunningServer` of a key, then with the path, query and body objects of the row.
Operation = Callable[..., Any]
OperationT = TypeVar("OperationT", bound=Operation)

OWNER, ALL_OWNERS = "owner", "all"
"""The parameter of reading calls with which the operator names an owner, and its word for all."""
ADMINISTRATION = "Administration"
"""The section of the rows below `/admin`."""


@attrs.frozen
class Route:
    """One call that a server answers."""

    endpoint: Endpoint
    path: str  # the whole path
    scopes: tuple[Scope, ...]  # the required scopes; none for calls that any key may make
    operation: Operation
    is_administration: bool  # whether it is a call of this server and not of the API
    # Whether the operator may ask about the tasks of another owner, by the parameter `owner`
    reads_any_owner: bool = False


# By the name of the row, which faults, metrics and the access log use.
ROUTES: dict[str, Route] = {}


def operation(
    endpoint: Endpoint, *, reads_any_owner: bool = False
) -> Callable[[OperationT], OperationT]:
    """Register a function as the operation of a call of the API.

    Raises:
        ValueError: The endpoint has an operation already.
    """
    scopes: tuple[Scope, ...] = (Scope.READ if endpoint.method == "GET" else Scope.RUN,)
    if endpoint is ME or not endpoint.authenticated:
        scopes = ()  # any key may ask whether it is valid
    path = API_PREFIX + endpoint.path
    return _registering(endpoint, path, scopes, reads_any_owner=reads_any_owner)


_EFFECTS = {"GET": Effect.READS, "POST": Effect.CREATES}


def admin_operation(
    name: str,
    call: str,
    *scopes: Scope,
    parameters: type[Any] | None = None,
    query: type[Any] | None = None,
    body: type[Any] | None = None,
    returns: type[Any] | None = None,
    reads_any_owner: bool = False,
) -> Callable[[OperationT], OperationT]:
    """Register a function as the operation of a call below `/admin`, such as `GET /admin/key`.

    The arguments and the docstring are its row. A call with the scope `admin` is for clients on the
    server's machine.
    """
    method, _, path = call.partition(" ")

    def register(function: OperationT) -> OperationT:
        endpoint = Endpoint(
            name,
            call,
            _EFFECTS.get(method, Effect.IDEMPOTENT),
            (function.__doc__ or "").partition("\n")[0],
            section=ADMINISTRATION,
            parameters=parameters,
            query=query,
            body=body,
            returns=returns,
        )
        return _registering(endpoint, path, scopes, reads_any_owner=reads_any_owner)(function)

    return register


def _registering(
    endpoint: Endpoint, path: str, scopes: tuple[Scope, ...], *, reads_any_owner: bool
) -> Callable[[OperationT], OperationT]:
    def register(function: OperationT) -> OperationT:
        # Registered at import, so a second function is a programming error.
        if endpoint.name in ROUTES:
            raise ValueError(f"two operations answer {endpoint}")
        is_administration = endpoint.section == ADMINISTRATION
        ROUTES[endpoint.name] = Route(
            endpoint, path, scopes, function, is_administration, reads_any_owner
        )
        return function

    return register
