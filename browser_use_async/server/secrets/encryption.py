"""Encryption of documents with the operator's key, which is not stored with them."""

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from browser_use_async.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# The environment variable with the key.
KEY_VARIABLE = "BROWSER_USE_SERVER_KEY"

_SHORTEST_KEY = 16
_NONCE_BYTES = 12
# Each guess of a key that a person chose costs 16 MB and some tens of milliseconds.
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class Seal:
    """Encrypts documents with AES-256-GCM."""

    def __init__(self, cipher: "AESGCM") -> None:
        self._cipher = cipher

    def close(self, kind: str, key: str, document: Mapping[str, Any]) -> bytes:
        """The encrypted document; only the same key, kind and name open it."""
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(document).encode()
        return nonce + self._cipher.encrypt(nonce, text, _place(kind, key))

    def open(self, kind: str, key: str, sealed: bytes) -> dict[str, Any]:
        """The decrypted document.

        Raises:
            ConfigurationError: It was sealed under another key, kind or name, or altered.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an optional dependency

        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            text = self._cipher.decrypt(nonce, body, _place(kind, key))
        except InvalidTag:
            raise ConfigurationError(
                f"the database has secrets that the key in {KEY_VARIABLE} does not open; "
                "give the server the key under which they were sealed"
            ) from None
        document: dict[str, Any] = json.loads(text)
        return document


def missing_for_encryption() -> str | None:
    """What is missing for secrets on disk, or None."""
    if not os.environ.get(KEY_VARIABLE):
        return f"the environment variable {KEY_VARIABLE} is not set"
    if find_spec("cryptography") is None:
        return "the package cryptography is not installed (browser-use-async[server])"
    return None


def seal_from_environment(salt: bytes) -> Seal | None:
    """The seal under the operator's key, or None if something is missing for one.

    Raises:
        ConfigurationError: The key is too short to protect anything.
    """
    if missing_for_encryption() is not None:
        return None
    # Imported here, because only servers that keep secrets on disk need the package.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    key = os.environ[KEY_VARIABLE]
    if len(key) < _SHORTEST_KEY:
        raise ConfigurationError(f"the key in {KEY_VARIABLE} needs {_SHORTEST_KEY} characters")
    derived = hashlib.scrypt(os.fsencode(key), salt=salt, **_SCRYPT)
    return Seal(AESGCM(derived))


def _place(kind: str, key: str) -> bytes:
    return json.dumps([kind, key]).encode()
