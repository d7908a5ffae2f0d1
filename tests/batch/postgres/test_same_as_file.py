"""The tests of a ledger in a file, with one in PostgreSQL: the promises are the same."""

from tests.batch import test_retries as retries
from tests.batch import test_runner as runner

# What looks into the file, or asks for the order in which one thread writes, stays with it.
_OF_FILES = {"test_a_task_that_comes_too_late_is_found"}
# Those take as long again as all others, and kill what writes to a file.
_KILLED = {name for name in vars(retries) if name.startswith("test_killed")}

globals().update(
    {
        name: function
        for module in (runner, retries)
        for name, function in vars(module).items()
        if name.startswith("test_") and name not in _OF_FILES | _KILLED
    }
)
