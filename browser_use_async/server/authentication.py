"""`Authorization: Bearer KEY`, answered as the service's framework of 2025 answered."""

import hmac

from browser_use_async.server.answers import RefusalError

__all__ = ["check_key"]


def check_key(header: str | None, api_key: str) -> None:
    """Refuse a request that does not bring the key.

    Raises:
        RefusalError: 403 without a Bearer header, 401 for another key.
    """
    scheme, _, credentials = (header or "").partition(" ")
    credentials = credentials.strip()
    if not credentials:
        raise RefusalError(403, "Not authenticated")
    if scheme.lower() != "bearer":
        raise RefusalError(403, "Invalid authentication credentials")
    given = credentials.encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, api_key.encode("ascii")):
        raise RefusalError(401, "Invalid API key")
