"""Mutants of API keys: scopes, owners, limits and revocation; and of reads with them."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_READS = "server/test_reads.py"
_GROUPS = "server/storage/test_group_commit.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "keys that were found are not looked at again",
        "server/keys/api_keys.py",
        "ApiKeys.find",
        "known is not None and version is not None and version == before",
        "known is not None and version is not None",
        (f"{_READS}::test_a_key_is_refused_from_its_end_on",),
    ),
    Mutant(
        "scopes of keys are not checked",
        "server/http/authorization.py",
        "_check_scopes",
        "scope not in key.scopes",
        "not key.scopes",
        ("server/keys/test_scopes.py::test_each_call_needs_its_scope",),
    ),
    Mutant(
        "tasks of other owners are found",
        "server/storage/tasks.py",
        "TaskStore.get",
        "self.of_any_owner(id=task_id, owner=self.owner)",
        "self.of_any_owner(id=task_id)",
        ("server/keys/test_owners.py::test_what_is_of_another_owner_does_not_exist",),
    ),
    Mutant(
        "links from one server to another are not verified",
        "server/fleet/handoff.py",
        "Handoff.add_route",
        "fault is not None",
        "fault is LinkFault.USED",
        ("server/fleet/test_handoff.py::test_a_link_that_was_altered",),
    ),
    Mutant(
        "what was taken back is heard",
        "server/storage/sqlite.py",
        "SqliteDatabase._take_part",
        "_Transaction(self, announced)",
        "_Transaction(self, group.announced)",
        (f"{_GROUPS}::test_one_that_fails_undoes_none_of_the_others",),
    ),
    Mutant(
        "one of several transactions that fails leaves what it has written",
        "server/storage/sqlite.py",
        "SqliteDatabase._take_part",
        "execute('ROLLBACK TO work')",
        "None",
        (f"{_GROUPS}::test_one_that_fails_undoes_none_of_the_others",),
    ),
    Mutant(
        "a transaction returns before its commit",
        "server/storage/sqlite.py",
        "SqliteDatabase.transact",
        "(failure := await group.wait())",
        "(failure := None)",
        (f"{_GROUPS}::test_one_after_the_other_each_has_its_commit",),
    ),
    Mutant(
        "what is not committed is read",
        "server/storage/sqlite.py",
        "SqliteDatabase.rows",
        "self._commit()",
        "None",
        (f"{_GROUPS}::test_a_read_in_between_sees_what_is_committed",),
    ),
    Mutant(
        "a task that is stopped while it waits takes a slot with it",
        "server/executors/owner_slots.py",
        "OwnerSlots._take",
        "self._give_back()",
        "None",
        ("server/test_owner_slots.py::test_a_task_that_is_stopped_while_it_waits_loses_no_slot",),
    ),
    Mutant(
        "owners do not take turns at slots",
        "server/executors/owner_slots.py",
        "OwnerSlots._give_back",
        "self._waiting.move_to_end(owner)",
        "None",
        (
            "server/test_owner_slots.py::test_an_owner_waits_for_one_task_of_another_and_not_for_all",
        ),
    ),
    Mutant(
        "changes of other owners are reported",
        "server/tasks/changes.py",
        "Changes.record",
        "self._logs[owner].record(task_id, status)",
        """
            for log in self._logs.values():
                log.record(task_id, status)
        """,
        ("server/keys/test_owners.py::test_the_stream_of_changes_has_only_its_owners_tasks",),
    ),
    Mutant(
        "links that steer are shown to all keys",
        "server/pages/links.py",
        "Links.live_url",
        "self.may_steer",
        "True",
        ("server/keys/test_owners.py::test_a_key_that_cannot_steer_gets_no_link_that_can",),
    ),
    Mutant(
        "revoked keys open everything",
        "server/keys/api_key.py",
        "ApiKey.is_valid",
        "self.revoked_at is None and not expired",
        "not expired",
        ("server/keys/test_keys.py::test_two_keys_of_a_name_are_valid_and_a_third_is_refused",),
    ),
    Mutant(
        "long polls outlive their key",
        "server/admin/keys.py",
        "revoke_key",
        "server.held_calls.end(revoked.id)",
        "",
        ("server/keys/test_keys.py::test_a_stream_ends_when_its_key_is_revoked",),
    ),
    Mutant(
        "live pages outlive the last key of their owner",
        "server/admin/keys.py",
        "revoke_key",
        "await server.stores.tasks.of(revoked.name).revoke_links_at_work()",
        "pass",
        ("server/keys/test_keys.py::test_live_pages_of_a_name_without_a_key_are_taken_back",),
    ),
    Mutant(
        "unknown fields of a new key are ignored",
        "server/app/dispatch.py",
        "_read_admin_object",
        'raise HttpError(422, f"{unknown}: {no_such(unknown, names)}")',
        "pass",
        ("server/test_administration.py::test_a_mistyped_field_is_refused",),
    ),
    Mutant(
        "clients of other machines administrate",
        "server/app/dispatch.py",
        "_administrating.administrate",
        "check_client(request)",
        "pass",
        ("server/test_administration.py::test_clients_behind_a_proxy_are_remote",),
    ),
    Mutant(
        "budgets of keys are not kept",
        "server/storage/account.py",
        "_check",
        "spent > budget",
        "spent - amount > budget",
        ("server/keys/test_limits.py::test_a_budget_admits_as_many_starts_as_it_pays",),
    ),
    Mutant(
        "tasks of an owner are counted before they are paid for",
        "server/storage/account.py",
        "charge_task",
        'await _at_work(at, "owner = :owner AND ", owner) >= concurrency',
        'await _at_work(at, "owner = :owner AND ", owner) > concurrency',
        ("server/keys/test_limits.py::test_tasks_at_once_are_counted_for_each_name",),
    ),
    Mutant(
        "what an owner spends is not counted",
        "server/storage/account.py",
        "charge",
        "at.rows(_CHARGE, owner=owner, paid=paid, spent=amount, tasks=tasks)",
        "at.rows(_CHARGE, owner=owner, paid=paid, spent=paid, tasks=tasks)",
        ("server/keys/test_limits.py::test_a_budget_admits_as_many_starts_as_it_pays",),
    ),
)
