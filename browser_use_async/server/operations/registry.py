"""Which function answers which row of the endpoint table."""

from collections.abc import Callable
from typing import Any, TypeVar

from browser_use_async.api.endpoint_table import Endpoint

__all__ = ["OPERATIONS", "Operation", "operation"]

Operation = Callable[..., Any]
"""Takes the `Backend`, then the call's path, query and body objects, as far as it has them."""

OperationT = TypeVar("OperationT", bound=Operation)

OPERATIONS: dict[str, Operation] = {}
"""Operations by the name of their row."""


def operation(endpoint: Endpoint) -> Callable[[OperationT], OperationT]:
    """Let a function answer a row.

    Raises:
        ValueError: Another function answers it already.
    """

    def register(function: OperationT) -> OperationT:
        if endpoint.name in OPERATIONS:
            raise ValueError(f"two operations answer {endpoint}")
        OPERATIONS[endpoint.name] = function
        return function

    return register
