"""From the rows of a file to the tasks of a batch, checked before the first one is sent."""

from collections.abc import Generator, Mapping
from hashlib import blake2b

import attrs

from browser_use_async.api.validation import Mode, validate
from browser_use_async.cli.batches.rows import Row, RowFile
from browser_use_async.cli.batches.template import Template
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import RunTaskRequest

__all__ = ["Item", "ItemFile"]

_KEY = "key"
_TASK = "task"
_LONGEST_KEY = 1000


@attrs.frozen
class Item:
    """One task to be."""

    line: int  # the line of the input that it comes from
    key: str | None  # what the person calls it, or None if the input has no column `key`
    task: str  # what the agent should do


@attrs.frozen
class ItemFile:
    """The tasks that a file stands for."""

    file: RowFile
    # What makes a task of a row; without one, its column `task` is the task
    template: Template | None = None
    # Values for places of the template that no column fills
    more: Mapping[str, str] = attrs.field(factory=dict)

    def items(self) -> Generator[Item]:
        """The tasks, lazily and in order.

        Raises:
            ConfigurationError: A row is no good; the message names its line.
        """
        for row in self.file.rows():
            yield Item(row.line, self._key(row), self._task(row))

    def check(self) -> int:
        """Read everything once, so that a mistake is found before the first task is paid for.

        Raises:
            ConfigurationError: There are none, a row is no good, or two have the same key.
        """
        count = 0
        keys = set[int]()  # eight bytes of each, so that a million of them fit anywhere
        for count, item in enumerate(self.items(), 1):  # noqa: B007 - given back below
            if item.key is not None:
                digest = int.from_bytes(blake2b(item.key.encode(), digest_size=8).digest())
                if digest in keys:
                    problem = f"the key {item.key!r} is that of an earlier line, too"
                    raise self.file.refused(item.line, problem)
                keys.add(digest)
        if not count:
            raise ConfigurationError(
                f"{self.file.path} has no rows, so that there is nothing to do"
            )
        return count

    def _key(self, row: Row) -> str | None:
        key = row.values.get(_KEY)
        if key is None:
            return None
        if not key.strip():
            raise self.file.refused(row.line, "its key is empty")
        if len(key) > _LONGEST_KEY:
            raise self.file.refused(row.line, f"its key has more than {_LONGEST_KEY} characters")
        return key

    def _task(self, row: Row) -> str:
        if self.template is None:
            names: tuple[str, ...] = (_TASK,)
        else:
            names = self.template.names
        values = {name: self._value(row, name) for name in names}
        task = values[_TASK] if self.template is None else self.template.filled(values)
        _, problems = validate(RunTaskRequest, {"task": task}, Mode.CLIENT)
        if problems:
            raise self.file.refused(row.line, f"its task is refused: {problems[0].message}")
        return task

    def _value(self, row: Row, name: str) -> str:
        value = row.values.get(name)
        if value is None:
            value = self.more.get(name)
        if value is None:
            raise self.file.refused(row.line, self._missing(row, name))
        if not value.strip():
            raise self.file.refused(row.line, f"its {name!r} is empty")
        return value

    def _missing(self, row: Row, name: str) -> str:
        has = f"it has {', '.join(map(repr, row.values)) or 'nothing'}"
        if self.template is None:
            return f"it has no 'task', and without --template that is the task; {has}"
        return f"it has no {name!r}, which the template asks for; {has}"
