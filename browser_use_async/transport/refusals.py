"""What a storage says when it refuses, without the secrets that it likes to echo. Pure."""

import html
import re

from browser_use_async.transport.signed_url import SignedUrl

__all__ = ["refusal_text"]

_MAX_TEXT = 300  # characters
_XML = re.compile(r"<(Code|Message)>(.*?)</\1>", re.DOTALL)


def refusal_text(status: int, body: bytes, url: SignedUrl) -> str:
    """What a storage says about a refusal, without the secrets that it likes to echo.

    Of S3's XML only the code and the message are shown: the rest repeats keys and signatures.
    """
    text = body.decode("utf-8", "replace")
    found = {name: html.unescape(value) for name, value in _XML.findall(text)}
    said = ": ".join(found[name] for name in ("Code", "Message") if name in found) or text
    redacted = url.redact(html.unescape(said))
    printable = "".join(each if each.isprintable() else " " for each in redacted)
    shown = " ".join(printable.split())[:_MAX_TEXT]
    return f"status {status} ({shown})" if shown else f"status {status}"
