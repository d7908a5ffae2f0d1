"""Secrets that are seeds of one-time codes: the current code is typed."""

import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from browser_use_async.server.extras import missing_packages

# How such a secret begins: the text in the QR code of a second factor.
PREFIX = "otpauth://"

_PERIODS = 3  # whose codes are hidden: a page may show a code that was typed earlier


_DIGESTS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}


class SeedRefusedError(Exception):
    """A seed from which no code can be made; the text is a sentence without the seed."""


def is_seed(secret: str) -> bool:
    """Whether a secret is the seed of one-time codes."""
    return secret.startswith(PREFIX)


def typed_text(name: str, secret: str) -> str:
    """The text to type for a secret: itself, or the current code of a seed.

    Raises:
        SeedRefusedError: There is no such code.
    """
    return str(_generator(name, secret).now()) if is_seed(secret) else secret


def latest_codes(secret: str) -> list[str]:
    """The codes of a seed that may have been typed in the last minutes."""
    try:
        generator = _generator("", secret)
    except SeedRefusedError:
        return []  # typing it was refused
    now = time.time()
    return [str(generator.at(now - each * generator.interval)) for each in range(_PERIODS)]


def _generator(name: str, secret: str) -> Any:
    problem = missing_packages("Typing one-time codes", "pyotp")
    if problem is not None:
        raise SeedRefusedError(problem)
    try:
        generator = _parsed(secret)
        generator.now()
    except (KeyError, ValueError, ArithmeticError):
        # The seed must not be in the message or in a chained error.
        problem = f"The secret “{name}” is no otpauth://totp/ address with a valid seed."
    else:
        return generator
    raise SeedRefusedError(problem)


def _parsed(address: str) -> Any:
    from pyotp.totp import TOTP  # noqa: PLC0415 - for tasks with such a secret only

    class Totp(TOTP):
        # The site chooses the length of a seed: many use only 80 bits.
        min_secret_length_bits = 0

    parts = urlsplit(address)
    if parts.netloc != "totp":
        raise ValueError(parts.netloc)
    given = dict(parse_qsl(parts.query))
    digest = _DIGESTS[given.get("algorithm", "SHA1").upper()]
    digits, interval = int(given.get("digits", "6")), int(given.get("period", "30"))
    return Totp(given["secret"], digits=digits, digest=digest, interval=interval)
