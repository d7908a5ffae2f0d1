"""Addresses without what belongs to one run of a script: numbers in paths, queries, inputs."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import quote, quote_plus, unquote, urlsplit

_ANY = "*"


def pattern_of(url: str, inputs: Collection[str] = ()) -> str:
    """The address of a page with `*` for each part of its path that other runs have differently.

    Args:
        url: The address.
        inputs: Values of the inputs of this run.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return url.partition("?")[0].partition("#")[0]
    said = [_slug(each) for each in inputs if len(_slug(each)) > 1]
    path = "/".join(_ANY if _is_own(each, said) else each for each in parts.path.split("/"))
    return f"{parts.scheme}://{parts.netloc}{path or '/'}"


def fits(url: str, pattern: str) -> bool:
    """Whether an address is one of those that a pattern stands for.

    Scheme and host must be the same: `*` stands for a part of the path only. An address without a
    host, such as `about:blank`, fits none.
    """
    (origin, path), (wanted, each) = _parts(url), _parts(pattern)
    found = re.escape(each).replace(re.escape(_ANY), "[^/]*")
    return bool(origin) and origin == wanted and re.fullmatch(found, path) is not None


def origin_of(address: str) -> str:
    """The scheme and the host of an address or a pattern; empty if it does not have both."""
    return _parts(address)[0]


def site_of(url: str) -> str:
    """The domain, which a page shares with the service that it calls."""
    host = urlsplit(url).hostname or ""
    is_name = re.search("[a-z]", host.rpartition(".")[2]) is not None
    return ".".join(host.split(".")[-2:]) if is_name else host


def put_inputs_in_address(url: str, inputs: Mapping[str, str]) -> str:
    """An address with placeholders for the inputs in it, in whichever way they are written."""
    for name, value in sorted(inputs.items(), key=lambda each: -len(each[1])):
        spellings = {quote(value, safe=""), quote(value), quote_plus(value), value}
        for each in sorted(spellings, key=len, reverse=True):
            if each:
                url = re.sub(rf"(?<![\w%]){re.escape(each)}(?![\w%])", f"{{{name}}}", url)
    return url


def quoted_inputs(inputs: Mapping[str, str]) -> dict[str, str]:
    """The inputs, quoted for addresses; one that is an address itself is unchanged."""
    return {
        name: value if value.startswith(("http://", "https://")) else quote(value, safe="")
        for name, value in inputs.items()
    }


def _is_own(segment: str, inputs: Collection[str]) -> bool:
    said = _slug(unquote(segment))
    return re.search(r"\d", segment) is not None or any(each in said for each in inputs)


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")


def _parts(address: str) -> tuple[str, str]:
    """The scheme with the host, and the path."""
    match = re.match(r"(https?://[^/?#*\s]+)(?=[/?#]|$)([^?#]*)", address, re.IGNORECASE)
    return ("", "") if match is None else (match[1].lower(), match[2] or "/")
