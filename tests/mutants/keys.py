"""Mutants of API keys: scopes, owners, limits, revocation and the trail."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "scopes of keys are not checked",
        "server/keys/scopes.py",
        "        if scope is not None and scope not in key.scopes:\n",
        "        if scope is not None and not key.scopes:\n",
        ("server/keys/test_scopes.py::test_each_call_needs_its_scope",),
    ),
    Mutant(
        "tasks of other owners are found",
        "server/storage/tasks.py",
        "of_any_owner(id=task_id, owner=self.owner)",
        "of_any_owner(id=task_id)",
        ("server/keys/test_owners.py::test_what_is_of_another_owner_does_not_exist",),
    ),
    Mutant(
        "changes of other owners are told",
        "server/changes.py",
        "        self._logs[owner].record(task_id, status)\n",
        "        for log in self._logs.values():\n            log.record(task_id, status)\n",
        ("server/keys/test_owners.py::test_the_stream_of_changes_tells_ones_own",),
    ),
    Mutant(
        "links that steer are told to all keys",
        "server/signed_links.py",
        "if not self.may_steer:",
        "if False:",
        ("server/keys/test_owners.py::test_a_key_that_cannot_steer_gets_no_link_that_can",),
    ),
    Mutant(
        "revoked keys open everything",
        "server/keys/api_key.py",
        "return self.revoked_at is None and not expired",
        "return not expired",
        ("server/keys/test_keys.py::test_two_keys_of_a_name_are_valid_and_a_third_is_refused",),
    ),
    Mutant(
        "calls outlive the key that they are held for",
        "server/administration.py",
        '        backend.held_calls.end(revoked["id"])\n',
        "",
        ("server/keys/test_keys.py::test_a_stream_ends_when_its_key_is_revoked",),
    ),
    Mutant(
        "live pages outlive the last key of their owner",
        "server/administration.py",
        "await backend.tasks.of(owner).revoke_links_at_work()",
        "pass",
        ("server/keys/test_keys.py::test_live_pages_of_a_name_without_a_key_are_taken_back",),
    ),
    Mutant(
        "budgets of keys are not kept",
        "server/storage/account.py",
        "    if budget is not None and spent > budget:\n",
        "    if budget is not None and spent - amount > budget:\n",
        ("server/keys/test_limits.py::test_a_budget_admits_as_many_starts_as_it_pays",),
    ),
    Mutant(
        "tasks of an owner are counted before they are paid for",
        "server/storage/account.py",
        '_at_work(at, "owner = :owner AND ", owner) >= concurrency',
        '_at_work(at, "owner = :owner AND ", owner) > concurrency',
        ("server/keys/test_limits.py::test_tasks_at_once_are_counted_for_each_name",),
    ),
    Mutant(
        "what an owner spends is not counted",
        "server/storage/account.py",
        "paid=paid, spent=amount, tasks=tasks",
        "paid=paid, spent=paid, tasks=tasks",
        ("server/keys/test_limits.py::test_a_budget_admits_as_many_starts_as_it_pays",),
    ),
    Mutant(
        "the audit trail holds what clients write",
        "server/keys/authorization.py",
        "return subject if _ID.fullmatch(subject) else None",
        "return subject or None",
        ("server/keys/test_audit.py::test_no_value_and_no_text_is_in_it",),
    ),
    Mutant(
        "one name pushes out what others did",
        "server/keys/audit_trail.py",
        '"name IS NULL" if name is None else "name = :name"',
        '"1 = 1"',
        ("server/keys/test_audit.py::test_the_trail_is_bounded",),
    ),
)
