"""The tests of a ledger in a file, run with one in PostgreSQL: the promises are the same."""

from tests.batch import test_budget_maxima as maxima
from tests.batch import test_retries as retries
from tests.batch import test_runner as runner

# Tests that read the file, or that check the order in which one thread writes, run with a file
# only.
_OF_FILES = {"test_a_task_that_comes_too_late_is_found"}
# These tests take as long as all others together, and kill a process that writes to a file.
_KILLED = {name for name in vars(retries) if name.startswith("test_killed")}

# The tests of a budget over several runs, which the rows have to store.
_OF_BUDGETS = (
    maxima.test_tasks_of_an_earlier_run_have_their_share_before_their_turn_comes,
    maxima.test_a_task_that_is_waited_for_no_longer_keeps_its_share,
    maxima.test_an_unknown_item_keeps_its_maximum,
)

globals().update({each.__name__: each for each in _OF_BUDGETS})
globals().update(
    {
        name: function
        for module in (runner, retries)
        for name, function in vars(module).items()
        if name.startswith("test_") and name not in _OF_FILES | _KILLED
    }
)
