from tests.bench import connect, nothing_leaks, serve
from tests.transport.certificates import certificate

__all__ = ["certificate", "connect", "nothing_leaks", "serve"]
