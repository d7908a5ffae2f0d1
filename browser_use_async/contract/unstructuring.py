"""Models to the JSON that the service writes, for the bundled server and the command line."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.api.serialization import plain
from browser_use_async.types import Balance

__all__ = ["unstructure"]


def unstructure(response: Any) -> Any:
    """The JSON value of a response, as the service writes it: nulls stay, `extra` goes."""
    if isinstance(response, Balance):
        return {"balance": str(response.cents)}
    if attrs.has(type(response)):
        return {
            field.name: unstructure(getattr(response, field.name))
            for field in attrs.fields(type(response))
            if field.name != "extra"
        }
    if isinstance(response, list | tuple):
        return [unstructure(each) for each in response]
    if isinstance(response, Mapping):
        return {name: unstructure(each) for name, each in response.items()}
    if isinstance(response, Decimal):
        return str(response)
    return plain(response)
