"""The configuration file: the address and the key that `browser-use-async login` has saved."""

import json
import os
import shlex
import tomllib
from pathlib import Path

import attrs

from browser_use_async import system
from browser_use_async.errors import ConfigurationError
from browser_use_async.types.secrets import Secret, SecretMapping

_NAMES = ("base_url", "api_key")


def config_path() -> Path | None:
    """Where the file stands, whether or not there is one; None for a user without a home."""
    folder = system.config_folder()
    return None if folder is None else folder / "browser-use-async" / "config.toml"


# Tracebacks can show local variables, so functions that raise have no key in theirs.


@attrs.frozen
class ConfigFile:
    """The content of the file. It belongs to one user, and no other user can read it."""

    path: Path
    base_url: str | None
    api_key: Secret | None

    @classmethod
    def read(cls) -> "ConfigFile | None":
        """Read the file, if there is one.

        Raises:
            ConfigurationError: It cannot be used; the message says what to do.
        """
        path = config_path()
        if path is None or not _is_there(path):
            return None
        problem, values = _parsed(_content(path))
        if problem is not None:
            raise ConfigurationError(f"{path}: {problem}")
        key = Secret.hide(values.get("api_key"))
        if key is not None:
            key.check_as_key(f"the API key in {path}")
        return cls(path, values.get("base_url"), key)

    def write(self) -> None:
        """Replace the file; a crash leaves either the old or the new one.

        Raises:
            OSError: It cannot be written.
        """
        for folder in (self.path.parent.parent, self.path.parent):
            if not folder.exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.parent.chmod(0o700)  # also one that was there
        with system.replaced_file(self.path) as descriptor:
            os.write(descriptor, self._text().encode())

    def _text(self) -> str:
        values = {"base_url": self.base_url, "api_key": self.api_key and self.api_key.reveal()}
        # A JSON string of ASCII characters is a TOML string, too.
        return "".join(f"{name} = {json.dumps(text)}\n" for name, text in values.items() if text)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:  # also in a folder that is closed to this user, such as another user's home
        return False
    return True


def _content(path: Path) -> bytes:
    """The bytes of the file, if only its user can read it."""

    def check(status: os.stat_result) -> None:
        if system.IS_POSIX and status.st_mode & 0o077:
            raise ConfigurationError(
                f"{path} is open to other users of this machine (mode "
                f"{status.st_mode & 0o777:o}): chmod 600 {shlex.quote(str(path))}"
            )

    try:
        return system.read_small_file(path, check)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{path} cannot be read ({reason}): give it to your user, or remove it, {_ANEW}"
        ) from None


def _parsed(content: bytes) -> tuple[str | None, SecretMapping]:
    """The problem of a content, else its values."""
    nothing = SecretMapping({})
    try:
        found = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return f"it is no UTF-8 text: remove it, {_ANEW}", nothing
    except RecursionError:
        return f"its values are nested too deeply: remove it, {_ANEW}", nothing
    except tomllib.TOMLDecodeError as error:
        return f'{error}; a line looks like {_NAMES[0]} = "https://…"', nothing
    for name, value in found.items():
        if name not in _NAMES:
            return f"there is no setting {name!r:.60}, only {' and '.join(_NAMES)}", nothing
        if not isinstance(value, str):
            return f"{name} must be a text in quotation marks", nothing
    return None, SecretMapping(found)


_ANEW = "and `browser-use-async login` writes a new one"
