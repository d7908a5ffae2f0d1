"""Addresses of PostgreSQL servers, and the packages that they need; opens nothing."""

from importlib import import_module
from typing import TypeGuard

from browser_use_async.errors import ConfigurationError

SCHEMES = ("postgresql://", "postgres://")
"""How the address of a PostgreSQL server begins."""


def is_postgres(place: object) -> TypeGuard[str]:
    """Whether a database is named by the address of a PostgreSQL server."""
    return isinstance(place, str) and place.startswith(SCHEMES)


def require_packages(what: str, *names: str) -> None:
    """Raise a `ConfigurationError` that names packages of the extra `fleet` that are missing."""
    missing: list[str] = []
    for name in names:
        try:
            import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        raise ConfigurationError(
            f"{what} in PostgreSQL needs {' and '.join(missing)}: pip install "
            "'browser-use-async[fleet]'; nothing was done"
        )
