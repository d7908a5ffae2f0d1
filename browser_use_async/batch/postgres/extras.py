"""Whether the packages of the extra `fleet` are installed."""

from importlib import import_module

from browser_use_async.errors import ConfigurationError


def require_packages(*names: str) -> None:
    """Name what is not installed.

    Raises:
        ConfigurationError: A package is missing.
    """
    missing: list[str] = []
    for name in names:
        try:
            import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        raise ConfigurationError(
            f"a ledger in PostgreSQL needs {' and '.join(missing)}: pip install "
            "'browser-use-async[fleet]'; nothing was sent"
        )
