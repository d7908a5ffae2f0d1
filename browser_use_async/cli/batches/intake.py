"""The input of a batch on its way into it: read when it is wanted, and remembered while it runs."""

from collections.abc import Callable, Generator

from browser_use_async.batch import BatchItem
from browser_use_async.cli.batches.items import Item, ItemFile

__all__ = ["Intake"]


class Intake:
    """The tasks of a file, for one batch."""

    def __init__(self, file: ItemFile, count: int, filled: Callable[[str], str]) -> None:
        self._file = file
        self._count = count
        self._filled = filled
        self._under_way: dict[int, Item] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Generator[BatchItem]:
        for index, item in enumerate(self._file.items()):
            self._under_way[index] = item
            yield BatchItem(self._filled(item.task), item.key)

    def take(self, index: int) -> Item | None:
        """What the input says about an item that has ended, which is forgotten then."""
        return self._under_way.pop(index, None)
