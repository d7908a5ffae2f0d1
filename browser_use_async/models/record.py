"""What all attrs classes have in common, models and others, written once.

attrs would generate a repr and an equality for each class, at half the cost of importing it. The
classes say `eq=False, repr=False` and inherit these, which read the same fields in the same way.
"""

from typing import Any

import attrs

__all__ = ["Record", "Value"]


def _fields(model: Any) -> tuple["attrs.Attribute[Any]", ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(model)
    return fields


class Value:
    """A frozen object: equal to one of the same class with the same fields, and hashable."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = [each.name for each in _fields(type(self))]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, each.name) for each in _fields(type(self)))))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{each.name}={self._shown(each)}" for each in _fields(type(self)) if each.repr
        )
        return f"{type(self).__name__}({shown})"

    def _shown(self, field: "attrs.Attribute[Any]") -> str:
        value = getattr(self, field.name)
        return field.repr(value) if callable(field.repr) else repr(value)


class Record(Value):
    """The same for an object that can change, and is not hashable for that."""

    __slots__ = ()

    __hash__ = None  # type: ignore[assignment]
