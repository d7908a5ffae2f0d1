"""The options of `serve`, collected one by one from the modules that declare them."""

from collections.abc import Mapping
from typing import Any

from browser_use_async.cli.options import Choice, Option

_KINDS: Mapping[str, Mapping[str, object]] = {
    "store_true": {"is_flag": True},
    "store_false": {"is_flag": True, "flag_value": False, "default": True},
    "append": {"multiple": True},
}


class OptionCollector:
    """Collects options below one heading of the help."""

    def __init__(
        self,
        options: list[Option],
        title: str = "options",
        about: str = "",
        *,
        either: bool = False,
    ) -> None:
        self._options = options
        self._title = title
        self._about = about
        self._rivals: list[Option] | None = [] if either else None

    def add_argument_group(self, title: str, about: str = "") -> "OptionCollector":
        """Collect what stands below another heading."""
        return OptionCollector(self._options, title, about)

    def add_mutually_exclusive_group(self) -> "OptionCollector":
        """Collect options of which one may be given."""
        return OptionCollector(self._options, self._title, self._about, either=True)

    def add_argument(self, flag: str, **shape: Any) -> None:
        """Collect one option."""
        names = [flag, *filter(None, [shape.pop("dest", None)])]
        shape |= _KINDS.get(shape.pop("action", ""), {})
        if (words := shape.pop("choices", None)) is not None and "type" not in shape:
            shape["type"] = Choice(words)
        option = Option(names, **shape)
        option.title, option.about = self._title, self._about
        self._options.append(option)
        if self._rivals is not None:
            self._rivals.append(option)
            for each in self._rivals:
                each.rivals = tuple(self._rivals)
