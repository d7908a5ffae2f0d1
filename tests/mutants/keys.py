"""Mutants of API keys: scopes, owners, limits, revocation and the trail."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "scopes of keys are not checked",
        "server/keys/scopes.py",
        "        if scope is not None and scope not in key.scopes:\n",
        "        if scope is not None and not key.scopes:\n",
        ("J11",),
    ),
    Mutant(
        "tasks of other owners are found",
        "server/storage/tasks.py",
        "of_any_owner(id=task_id, owner=self.owner)",
        "of_any_owner(id=task_id)",
        ("J12",),
    ),
    Mutant(
        "changes of other owners are told",
        "server/changes.py",
        "        self._logs[owner].record(task_id, status)\n",
        "        for log in self._logs.values():\n            log.record(task_id, status)\n",
        ("J12",),
    ),
    Mutant(
        "links that steer are told to all keys",
        "server/signed_links.py",
        "if not self.may_steer:",
        "if False:",
        ("J12",),
    ),
    Mutant(
        "revoked keys open everything",
        "server/keys/api_key.py",
        "return self.revoked_at is None and not expired",
        "return not expired",
        ("J13",),
    ),
    Mutant(
        "calls outlive the key that they are held for",
        "server/administration.py",
        '        backend.held_calls.end(revoked["id"])\n',
        "",
        ("J13",),
    ),
    Mutant(
        "live pages outlive the last key of their owner",
        "server/administration.py",
        "await backend.tasks.of(owner).revoke_links_at_work()",
        "pass",
        ("J13",),
    ),
    Mutant(
        "budgets of keys are not kept",
        "server/storage/account.py",
        "    if budget is not None and spent > budget:\n",
        "    if budget is not None and spent - amount > budget:\n",
        ("J14",),
    ),
    Mutant(
        "tasks of an owner are counted before they are paid for",
        "server/storage/account.py",
        '_at_work(at, "owner = :owner AND ", owner) >= concurrency',
        '_at_work(at, "owner = :owner AND ", owner) > concurrency',
        ("J14",),
    ),
    Mutant(
        "what an owner spends is not counted",
        "server/storage/account.py",
        "paid=paid, spent=amount, tasks=tasks",
        "paid=paid, spent=paid, tasks=tasks",
        ("J14",),
    ),
    Mutant(
        "the audit trail holds what clients write",
        "server/keys/authorization.py",
        "return subject if _ID.fullmatch(subject) else None",
        "return subject or None",
        ("J15",),
    ),
    Mutant(
        "one name pushes out what others did",
        "server/keys/audit_trail.py",
        '"name IS NULL" if name is None else "name = :name"',
        '"1 = 1"',
        ("J15",),
    ),
)
