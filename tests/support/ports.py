"""Ports for servers whose address has to be known before they listen."""

import random
import socket

__all__ = ["free_port"]

# Below those that systems hand out by themselves, to connections and to servers that ask for any:
# one of those would soon be taken by another test.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens."""
    while True:
        port = random.SystemRandom().randint(_FIRST, _LAST)  # no seed makes two tests meet
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
