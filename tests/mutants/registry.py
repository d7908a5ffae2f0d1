"""All mutants."""

from tests.mutants import (
    answers,
    batch,
    faults,
    fleet,
    hygiene,
    keys,
    lifetime,
    paging,
    parsing,
    polling,
    scripts,
    simulation,
    submission,
    submission_keys,
    transport,
    webhooks,
)
from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    *submission.MUTANTS,
    *transport.MUTANTS,
    *parsing.MUTANTS,
    *hygiene.MUTANTS,
    *keys.MUTANTS,
    *submission_keys.MUTANTS,
    *faults.MUTANTS,
    *fleet.MUTANTS,
    *simulation.MUTANTS,
    *lifetime.MUTANTS,
    *polling.MUTANTS,
    *paging.MUTANTS,
    *webhooks.MUTANTS,
    *batch.MUTANTS,
    *scripts.MUTANTS,
    *answers.MUTANTS,
)
