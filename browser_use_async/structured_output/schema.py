"""What reads an output type: pydantic where it is installed, else cattrs."""

# An unsupported type is refused before anything is sent, so that no task is paid for whose answer
# could not be parsed. pydantic does not know attrs classes: these are always read by cattrs.

import json
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import attrs

from browser_use_async.errors import InvalidRequestError
from browser_use_async.structured_output import plain_types


@attrs.frozen
class Adapter:
    """The JSON schema of a type, and what makes a value of it from JSON."""

    schema: str
    read: Callable[[Any], Any]  # raises what its library and the type's own checks raise
    explain: Callable[[Exception], list[str]]  # what did not fit, and where


def output_schema(kind: Any) -> str:
    """The JSON schema of a type, as the string that `structured_output_json` takes."""
    return adapter_of(kind).schema


def adapter_of(kind: Any) -> Adapter:
    """What reads a type; raises `InvalidRequestError` if neither library does."""
    try:
        return _adapter_of(kind)
    except TypeError:  # a type that cannot be hashed, such as `Annotated[int, []]`
        return _adapter_of.__wrapped__(kind)


@lru_cache(maxsize=256)  # a batch asks for each of its items
def _adapter_of(kind: Any) -> Adapter:
    problems = []
    for adapt in (_by_pydantic, _by_cattrs):
        try:
            return adapt(kind)
        except Exception as error:  # noqa: BLE001 - annotations are code, and raise what they like
            problems.append(str(error).partition("\n")[0].partition(". ")[0].rstrip("."))
    raise InvalidRequestError(
        f"output_type: {kind!r} cannot be used: {'; '.join(problems)}; use a pydantic model, an "
        "attrs class, a dataclass, a TypedDict, a plain JSON type or a container of them; nothing "
        "was sent",
        field="output_type",
    )


def _by_pydantic(kind: Any) -> Adapter:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - it may be missing

    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(value: Any) -> Any:
        # As JSON, because strict models accept strings as times only from JSON.
        return adapter.validate_json(json.dumps(value))

    def explain(error: Exception) -> list[str]:
        if not isinstance(error, ValidationError):
            return [str(error) or type(error).__name__]
        return [
            f"at ${''.join(map(_step, each['loc']))}: {each['msg']}"
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]

    return Adapter(json.dumps(adapter.json_schema()), read, explain)


def _step(part: int | str) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def _by_cattrs(kind: Any) -> Adapter:
    schema = json.dumps(plain_types.schema_of(kind))
    # Made now, since it refuses what it cannot read.
    hook = plain_types.converter().get_structure_hook(kind)
    return Adapter(schema, lambda value: hook(value, kind), partial(plain_types.explain, kind=kind))


def json_value(value: Any) -> Any:
    """The JSON value of a parsed output, which parses into an equal one."""
    unstructure = plain_types.converter().unstructure
    try:
        from pydantic_core import to_jsonable_python  # noqa: PLC0415 - it may be missing
    except ImportError:
        return unstructure(value)
    return to_jsonable_python(value, fallback=unstructure)
