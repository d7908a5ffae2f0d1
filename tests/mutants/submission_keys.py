"""Mutants of submission keys: repeats that create nothing, and the owners of keys."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_REPLAYS = "server/submission_keys/test_replays.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "two calls claim the same submission key",
        "server/storage/submission_keys.py",
        "SubmissionKeys.claim",
        "raise KeyTakenError",
        "pass",
        (f"{_REPLAYS}::test_two_hundred_at_once_create_one_task",),
    ),
    Mutant(
        "another request under a submission key is answered as the first one",
        "server/http/submission_keys.py",
        "_require_same",
        "differing(first.digests, digests)",
        "[]",
        (f"{_REPLAYS}::test_another_request_is_refused",),
    ),
    Mutant(
        "submission keys of other owners are found",
        "server/storage/submission_keys.py",
        "SubmissionKeys.find",
        "_CALLS.first(self._database, owner=self.owner, call=call, key=key)",
        "_CALLS.first(self._database, call=call, key=key)",
        ("server/submission_keys/test_searches.py::test_each_search_without_a_key_is_paid",),
    ),
    Mutant(
        "a repeat is refused for what the first call has spent",
        "server/http/submission_keys.py",
        "answer_once",
        "refusal = error",
        "raise error",
        (
            "server/submission_keys/test_transactions.py::test_a_refusal_for_what_the_first_call_has_spent",
        ),
    ),
    Mutant(
        "a repeated search is paid a second time",
        "server/http/submission_keys.py",
        "search_once",
        "pay if first is None else _is_paid",
        "account.spend",
        (
            "server/submission_keys/test_searches.py::test_a_search_that_failed_is_tried_again_unpaid",
        ),
    ),
    Mutant(
        "searches with one key do not wait for each other",
        "server/storage/submission_keys.py",
        "SubmissionKeys.turn",
        "self._turns.setdefault((self.owner, call, key), asyncio.Lock())",
        "asyncio.Lock()",
        ("server/submission_keys/test_searches.py::test_a_search_waits_for_the_one_in_progress",),
    ),
    Mutant(
        "the values of secrets make another request",
        "server/storage/submission_keys.py",
        "_meaning",
        "value = sorted(value)",
        "value = sorted(value.items())",
        (
            "server/submission_keys/test_replays.py::test_another_value_of_a_secret_is_the_same_request",
        ),
    ),
    Mutant(
        "submission keys outlive their task",
        "server/operations/expiry.py",
        "_expire_oldest",
        "await at.delete('submission_keys', resource_id=record.id)",
        "pass",
        ("server/submission_keys/test_traces.py::test_a_key_expires_with_its_task",),
    ),
    Mutant(
        "a fleet says that all its servers keep submission keys",
        "server/fleet/fleet.py",
        "Fleet._announce",
        "await self._nodes.all_keep_keys()",
        "True",
        ("server/submission_keys/test_fleet.py::test_one_without_keys_that_comes_back",),
    ),
)
