"""Mutants of paying once."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a lost connection counts as not sent",
        "transport/judging.py",
        "        case aiohttp.ConnectionTimeoutError():\n",
        "        case aiohttp.ConnectionTimeoutError() | aiohttp.ServerDisconnectedError():\n",
        ("A1",),
    ),
)
