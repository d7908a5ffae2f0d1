"""Whether the packages of the extra `fleet` are installed. Imports none of them."""

from importlib.util import find_spec

from browser_use_async.errors import ConfigurationError


def require_packages(*names: str) -> None:
    """Name what is not installed.

    Raises:
        ConfigurationError: A package is missing.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"a ledger in PostgreSQL needs {' and '.join(missing)}: pip install "
            "'browser-use-async[fleet]'; nothing was sent"
        )
