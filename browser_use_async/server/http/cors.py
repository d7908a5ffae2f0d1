"""Cross-origin requests: which web pages of other origins may call the API from a browser."""

from collections.abc import Sequence

from aiohttp import hdrs, web

from browser_use_async.server.http.access import ANY_ORIGIN, origin_of

_OPEN_PATHS = ("/api/v1/", "/uploads/", "/files/", "/openapi.json")
_METHODS = "GET, POST, PUT, DELETE"
_MAX_AGE_SECONDS = 600
_PRIVATE_NETWORK = "Access-Control-Request-Private-Network"


class CrossOriginPolicy:
    """The origins whose pages may call the API, as the CORS protocol of browsers asks for it.

    Cookies play no part: the key travels in a header, which a page has to know. So `*`, which
    allows every origin, gives away nothing that the key does not.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(
            each if each == ANY_ORIGIN else origin_of(each) for each in allowed
        )

    @property
    def is_open(self) -> bool:
        """Whether pages of any other origin are allowed."""
        return bool(self._allowed)

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to the preflight of an allowed origin; None for any other request."""
        is_preflight = request.method == hdrs.METH_OPTIONS and (
            hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        )
        if not is_preflight or self._allowed_origin(request) is None:
            return None
        headers: dict[str, str] = {
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
            hdrs.ACCESS_CONTROL_MAX_AGE: str(_MAX_AGE_SECONDS),
        }
        # The requested ones, since `*` would not cover Authorization.
        if wanted := request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS):
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted
        # Browsers ask for this when a page of the internet calls a server on this machine.
        if _PRIVATE_NETWORK in request.headers:
            headers["Access-Control-Allow-Private-Network"] = "true"
        return web.Response(headers=headers)

    def mark(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Add the headers by which a browser lets a page of an allowed origin read a response."""
        origin = self._allowed_origin(request)
        if origin is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "*"
        if ANY_ORIGIN not in self._allowed and request.path.startswith(_OPEN_PATHS):
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)  # shared caches must not mix origins up

    def _allowed_origin(self, request: web.BaseRequest) -> str | None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not request.path.startswith(_OPEN_PATHS):
            return None
        if ANY_ORIGIN in self._allowed:
            return ANY_ORIGIN
        return origin if origin_of(origin) in self._allowed - {None} else None
