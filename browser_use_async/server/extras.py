"""The extra `server`: checks which of its packages are installed."""

from importlib.util import find_spec

# The command that installs all of them.
SERVER_EXTRA = "pip install 'browser-use-async[server]'"


def missing_packages(purpose: str, *packages: str) -> str | None:
    """The sentence that asks for the extra, or None if all needed packages are installed.

    Args:
        purpose: What they are needed for, which begins the sentence.
        packages: The names that they are imported by.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if not missing:
        return None
    return f"{purpose} needs the extra `server` ({', '.join(missing)}): {SERVER_EXTRA}"
