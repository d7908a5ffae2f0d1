"""Ports for servers whose address must be known before they listen."""

import random
import socket

__all__ = ["free_port"]

# Below those that systems assign by themselves, to connections and to servers that ask for any:
# another test would soon get one of those.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens."""
    while True:
        port = random.SystemRandom().randint(_FIRST, _LAST)  # independent of any seed
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
