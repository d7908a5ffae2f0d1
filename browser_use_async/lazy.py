"""Packages that load their names on first use, and show all of them to type checkers."""

# A program pays only for the parts that it uses. What every session needs is loaded with the
# session, so that no call waits for it; the rest is loaded on first use.

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def load_on_first_use(
    package: str, homes: Mapping[str, str], *, source: str | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of such a package (PEP 562)."""
    # Type checkers see imports instead of these functions, since with them any name would exist.
    # The modules in `homes` are relative to `source`, by default the package.
    names = vars(sys.modules[package])

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(f"{source or package}.{homes[name]}")
        value = names[name] = home if homes[name] == name else getattr(home, name)
        return value  # found without this function from now on

    def directory() -> list[str]:
        return sorted({*names["__all__"], *homes})

    return load, directory


def homes(names_by_module: Mapping[str, str]) -> dict[str, str]:
    """The module of each name, from the names in each module, which stand with spaces between."""
    return {name: module for module, names in names_by_module.items() for name in names.split()}
