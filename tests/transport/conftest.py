from tests.support.api_bench import api, open_session
from tests.support.bench import connect, nothing_leaks, serve
from tests.support.certificates import certificate

__all__ = ["api", "certificate", "connect", "nothing_leaks", "open_session", "serve"]
