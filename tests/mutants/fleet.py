"""Mutants of servers that share a database."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_SUPERVISION = "server/fleet/test_supervision.py::test_no_server_counts_as_lost_after_an_outage"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a run of a schedule is started though another server has started it",
        "server/storage/schedules.py",
        "Schedules.claim_run",
        "raise RunTakenError",
        "pass",
        ("server/fleet/test_together.py::test_a_schedule_runs_once",),
    ),
    Mutant(
        "a server without submission keys joins servers that keep them",
        "server/storage/shared_database.py",
        "Nodes.join.work",
        "await self._is_live(at, keeps_keys=not keeps_keys)",
        "False",
        ("server/fleet/test_start.py::test_servers_that_keep_keys_and_one_that_keeps_none",),
    ),
    Mutant(
        "servers that start at once do not see each other",
        "server/storage/shared_database.py",
        "Nodes.join.work",
        "await at.rows('LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE')",
        "pass",
        ("server/fleet/test_start.py::test_servers_that_differ_and_start_at_once",),
    ),
    Mutant(
        "jobs are repeated right after an outage of the database",
        "postgres/jobs.py",
        "Supervision.may_repair",
        "self._contact.unbroken >= CONTACT * self._lease",
        "True",
        (_SUPERVISION,),
    ),
    Mutant(
        "an outage of the database does not count as broken contact",
        "postgres/jobs.py",
        "Supervision.run",
        "self._contact.lost()",
        "pass",
        (_SUPERVISION,),
    ),
    Mutant(
        "the contact with the database counts from before the outage",
        "postgres/jobs.py",
        "Contact.made",
        "self._since, self._is_lost = self._last, False",
        "self._is_lost = False",
        (_SUPERVISION,),
    ),
)
