"""Mutants that only a world in which everything goes wrong notices."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a creating call is sent again after a lost response",
        "transport/retry.py",
        "        case _ if outcome.status == 429:\n            return True\n",
        "        case OutcomeKind.AMBIGUOUS:\n            return True\n",
        ("A26", "A11", "A12"),
    ),
    Mutant(
        "the settle window is cut to a tenth",
        "lifecycle/reconcile.py",
        "        ends_at = asyncio.get_running_loop().time() + seconds\n",
        "        ends_at = asyncio.get_running_loop().time() + seconds / 10\n",
        ("A26", "A11", "A12"),
    ),
    Mutant(
        "only the first page is searched",
        "lifecycle/reconcile.py",
        "            page += 1\n",
        "            break\n",
        ("A24",),
    ),
    Mutant(
        "a random source other than the session's is used",
        "session.py",
        "            rng=world.rng,\n",
        "            rng=Runtime().rng,\n",
        ("J1",),
    ),
)
