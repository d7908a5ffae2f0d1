"""Keeps keys, secrets and URLs that grant access out of a cassette."""

import contextlib
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from browser_use_async.server.jobs.redaction import SecretRedactor
from browser_use_async.types import Task
from browser_use_async.types.secrets import hidden_url

# In JSON a slash may be escaped, and Go escapes `&` so.
_URL = re.compile(r"(?:https?|wss?):(?:\\?/){2}(?:[^\s\"'<>\\]|\\/|\\u0026)+", re.IGNORECASE)
# Names of parameters that sign a URL, or are a key by themselves.
_GRANTS_ACCESS = re.compile(
    r"[?&;#](?:x-amz-|x-goog-|awsaccesskeyid=|sig=|apikey=|\w*token=|\w*sess(?:ion)?[_-]?id=|"
    r"(?:[\w-]*[_-])?(?:signature|secret|password|key|key-pair-id)=|"
    r"(?:[\w-]*[_-])?(?:auth|authorization|jwt|hmac|sid|session|pwd)=|"
    r"(?:(?:auth|authorization)[_-])?code=|(?:pass|policy)=)",
    re.IGNORECASE,
)
_MIN_TOKEN = 16
_MAX_DECODINGS = 3  # an address may stand in the query of another one


class CassetteRedactor:
    """Replaces what must not be in a file by `***`, in texts and in the contents of files."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [each for each in secrets if each]
        named = {str(index): value for index, value in enumerate(self._secrets)}
        self._redactor = SecretRedactor(named)

    def with_urls_of(self, task: Task) -> "CassetteRedactor":
        """One that knows the pages of a task too, which open for anyone with their address."""
        pages = [each for each in (task.live_url, task.public_share_url) if each]
        return CassetteRedactor([*self._secrets, *pages, *map(_token, pages)])

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._redactor.text(_URL.sub(_without_access, text))

    def content(self, content: bytes) -> bytes:
        """The content of a file without secrets; signed URLs are replaced in UTF-8 texts only."""
        with contextlib.suppress(UnicodeDecodeError):
            content = self.text(content.decode()).encode()
        # UTF-16 may pass for UTF-8 as well.
        return self._redactor.content(content)


def _token(url: str) -> str:
    """The part of a page's address that nobody can guess."""
    last = urlsplit(url).path.rpartition("/")[2]
    return last if len(last) >= _MIN_TOKEN else ""


def _without_access(found: re.Match[str]) -> str:
    url = found[0].replace("\\/", "/").replace("\\u0026", "&")
    try:
        grants = "@" in urlsplit(url).netloc or _grants_access(url)
    except ValueError:
        return "***"
    return hidden_url(url).strip("'") if grants else found[0]


def _grants_access(url: str) -> bool:
    """Whether a parameter of the URL, or of one within it, signs it."""
    for _ in range(1 + _MAX_DECODINGS):
        if _GRANTS_ACCESS.search(url):
            return True
        url = unquote(url)
    return False
