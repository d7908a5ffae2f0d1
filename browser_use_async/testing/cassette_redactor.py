"""Removes secrets from the content of a cassette."""

import base64
import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from html.entities import codepoint2name
from urllib.parse import unquote, urlsplit

from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.types import Task
from browser_use_async.types.secrets import hidden_url

# In JSON a slash may be escaped, and Go also escapes `&`.
_URL = re.compile(r"(?:https?|wss?):(?:\\?/){2}(?:[^\s\"'<>\\]|\\/|\\u0026)+", re.IGNORECASE)
# Names of parameters that sign a URL, or that are keys.
_GRANTS_ACCESS = re.compile(
    r"[?&;#](?:x-amz-|x-goog-|awsaccesskeyid=|sig=|apikey=|[\w-]*token=|"
    r"\w*sess(?:ion)?[_-]?id=|"
    r"(?:[\w-]*[_-])?(?:signature|secret|passw(?:or)?d|key|key-pair-id|bearer|ticket|otp|csrf|xsrf)=|"
    r"(?:[\w-]*[_-])?(?:auth|authorization|jwt|hmac|sid|session|pwd|verifier|nonce|assertion)=|"
    r"(?:(?:auth|authorization)[_-])?code=|(?:pass|policy|saml(?:request|response|art))=)",
    re.IGNORECASE,
)
# Long random runs of characters, as in the path of a reset link. Each repetition has a limit, here
# and below, so that no text takes quadratic time.
_RANDOM = re.compile(
    r"(?=[a-z]{0,64}\d)(?=\d{0,64}[a-z])[a-z\d]{20,}|(?=[A-Z]{0,64}\d)(?=\d{0,64}[A-Z])[A-Z\d]{20,}"
    r"|(?=[a-zA-Z]{0,64}\d)(?=[A-Z\d]{0,64}[a-z])(?=[a-z\d]{0,64}[A-Z])[a-zA-Z\d]{16,}"
)
# Lines of HTTP, also as members of JSON.
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|x-[\w-]{0,64}(?:key|token|secret|auth)|api-key)"
    r"(\\?[\"']?\s*[:=]\s*\\?[\"']?(?:(?:bearer|basic|digest|token|apikey)\s+)?)[^\s\"'\\,;]{4,}"
    r"|\b((?:set-)?cookie2?)(\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\s=;\"']{1,256}=[^\r\n\"]*"
    r"|\b(bearer)(\s+)(?=[^\s\"]{0,256}\d)[\w.~+/=-]{12,}",
    re.IGNORECASE,
)
_MIN_TOKEN = 16
_MAX_DECODINGS = 3  # an address may be in the query of another one
_MIN_BASE64 = 6

_MAX_UNPACKED_BYTES = 100 * 1024 * 1024
_MAX_NESTED = 3
_UNPACKERS: dict[bytes, Callable[[io.BytesIO], io.BufferedIOBase]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
# 7-Zip, RAR and Zstandard.
_SEALED = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd")
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


class UnreadableFileError(Exception):
    """A compressed file contains a secret, or cannot be searched for one."""


class CassetteRedactor:
    """Replaces secrets by `***`, in texts and in the contents of files."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [each for each in secrets if each]
        named = {str(index): value for index, value in enumerate(self._secrets)}
        self._redactor = SecretRedactor(named)
        # The longest first: one secret may contain another.
        values = sorted(self._redactor.values, key=len, reverse=True)
        self._forms = [
            re.compile("|".join(map(form, values)), flags)
            for form, flags in ((_spelled, re.IGNORECASE), (_in_base64, 0))
            if values
        ]

    def with_urls_of(self, task: Task) -> "CassetteRedactor":
        """A redactor that also removes the pages of a task, which need no key."""
        # Their tokens alone, too, since a page or an answer may quote only these.
        pages = [each for each in (task.live_url, task.public_share_url) if each]
        return CassetteRedactor([*self._secrets, *pages, *map(_token, pages)])

    def text(self, text: str) -> str:
        """The text without secrets."""
        text = _HEADER.sub(_without_value, _URL.sub(_without_access, text))
        return self._redactor.text(self._without_values(text))

    def _without_values(self, text: str) -> str:
        for form in self._forms:
            text = form.sub("***", text)
        return text

    def content(self, content: bytes) -> bytes:
        """The content of a file without secrets; signed URLs are replaced in UTF-8 texts only.

        Raises:
            UnreadableFileError: It is compressed, and contains a secret or cannot be searched.
        """
        self._search_packed(content, _MAX_NESTED)
        return self._plain(content)

    def _plain(self, content: bytes) -> bytes:
        try:
            content = self.text(content.decode()).encode()
        except UnicodeDecodeError:
            # In Latin-1 each byte is a character and is preserved.
            content = self._without_values(content.decode("latin-1")).encode("latin-1")
        # UTF-16 may be valid UTF-8, too.
        return self._redactor.content(content)

    def _search_packed(self, content: bytes, depth: int) -> None:
        try:
            for inner in _unpacked(content):
                if not depth:
                    raise ValueError("too deeply nested")
                if self._plain(inner) != inner:
                    raise UnreadableFileError("a secret or a signed URL is in it, compressed")
                self._search_packed(inner, depth - 1)
        except _DAMAGE as error:
            raise UnreadableFileError("it cannot be searched for secrets") from error


# --- forms of a secret ---------------------------------------------------------------------------


def _spelled(value: str) -> str:
    """A pattern of the value in a URL, JSON, HTML or hexadecimal, however often escaped."""
    data = value.encode("utf-8", "surrogatepass")
    return "".join(map(_spelled_character, value)) + "|" + "[ :-]?".join(f"{b:02x}" for b in data)


def _spelled_character(character: str) -> str:
    code = ord(character)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    forms = [
        r"\\{0,16}" + re.escape(character),
        "".join(f"%(?:25)*{byte:02x}" for byte in character.encode("utf-8", "surrogatepass")),
        "".join(rf"\\{{1,16}}u{units[at : at + 4]}" for at in range(0, len(units), 4)),
        rf"&(?:amp;)*#(?:0*{code}|x0*{code:x});?",
    ]
    if code in codepoint2name:
        forms.append(f"&(?:amp;)*{codepoint2name[code]};")
    if character == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"


def _in_base64(value: str) -> str:
    """A pattern of the value within a longer text in Base64, at each of three places."""
    data = value.encode("utf-8", "surrogatepass")
    forms = []
    for before, first in ((0, 0), (1, 2), (2, 3)):
        # The characters that depend only on the value.
        whole = base64.b64encode(bytes(before) + data).decode()
        core = whole[first : (before + len(data)) * 8 // 6]
        if len(core) >= _MIN_BASE64:
            forms.append(core.replace("+", "[+-]").replace("/", "[/_]"))
    return "|".join(forms) or r"(?!)"


# --- what grants access by itself ----------------------------------------------------------------


def _token(url: str) -> str:
    """The random part of a page's address."""
    last = urlsplit(url).path.rpartition("/")[2]
    return last if len(last) >= _MIN_TOKEN else ""


def _without_value(found: re.Match[str]) -> str:
    return "".join(filter(None, found.groups())) + "***"


def _without_access(found: re.Match[str]) -> str:
    url = found[0].replace("\\/", "/").replace("\\u0026", "&")
    try:
        grants = "@" in urlsplit(url).netloc or _grants_access(url)
    except ValueError:
        return "***"
    return hidden_url(url).strip("'") if grants else found[0]


def _grants_access(url: str) -> bool:
    """Whether the URL, or one within it, is signed or has a random part."""
    for _ in range(1 + _MAX_DECODINGS):
        if _GRANTS_ACCESS.search(url) or _RANDOM.search(url, url.find("/", url.find("//") + 2)):
            return True
        url = unquote(url)
    return False


# --- compressed files ----------------------------------------------------------------------------


def _unpacked(content: bytes) -> Iterator[bytes]:
    """The contents of a compressed file; nothing for any other file."""
    if content.startswith(_SEALED):
        raise ValueError("a format that Python does not unpack")
    left = _MAX_UNPACKED_BYTES
    for part in _parts(content):
        left -= len(part)
        if left < 0:
            raise ValueError(f"more than {_MAX_UNPACKED_BYTES} bytes")
        yield part


def _parts(content: bytes) -> Iterator[bytes]:
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                yield member.filename.encode("utf-8", "replace")
                yield member.comment
                with archive.open(member) as file:
                    yield file.read(_MAX_UNPACKED_BYTES + 1)
    for magic, unpack in _UNPACKERS.items():
        if content.startswith(magic):
            with unpack(io.BytesIO(content)) as file:
                yield file.read(_MAX_UNPACKED_BYTES + 1)
