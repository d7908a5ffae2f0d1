"""Pauses of a thread that computes for long: the event loop runs meanwhile."""

import threading
import time

WORK_SECONDS = 0.002
PAUSE_SECONDS = 0.001


class _Turn(threading.local):
    """When the thread at hand has begun to work."""

    began = 0.0


_turn = _Turn()


def pause() -> None:
    """Sleep for a moment if this thread has worked for long; to be called often, and in threads.

    Otherwise the loop gets the interpreter back only after 5 ms, each time that it has sent or
    received something, and an answer needs many of these.
    """
    if time.monotonic() - _turn.began > WORK_SECONDS:
        time.sleep(PAUSE_SECONDS)
        _turn.began = time.monotonic()
