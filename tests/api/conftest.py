from tests.support.bench import connect, nothing_leaks, serve
from tests.support.shim import mocked_api

__all__ = ["connect", "mocked_api", "nothing_leaks", "serve"]
