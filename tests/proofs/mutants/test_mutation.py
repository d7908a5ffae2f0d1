"""One node of one function is replaced, whatever the layout of its source."""

import ast

import pytest

from tests.proofs.mutants.mutant import Mutant
from tests.proofs.mutants.mutation import MisfitError, mutated

SOURCE = """
LIMIT = 3  # tasks


class Queue:
    size = LIMIT

    def put(self, task):
        if (
            task  # not None
            and len(self.tasks)
            < self.size
        ):
            self.tasks.append(task)
            self.wake(task, again=True)
        else:
            raise Full("%d tasks are too many" % LIMIT)

    def close(self):
        self.wake(None, again=True)
"""


def changed(where: str, before: str, after: str) -> str:
    """The mutated source, without its layout."""
    return mutated(SOURCE, Mutant("name", "queue.py", where, before, after, killers=()))


@pytest.mark.parametrize(
    ("where", "before", "after", "line"),
    [
        ("Queue.put", "len(self.tasks) < self.size", "True", "if task and True:"),
        ("Queue.put", "task and len(self.tasks) < self.size", "True", "if True:"),
        ("Queue.put", "self.wake(task, again=True)", "pass", "pass"),
        ("Queue.close", "again=True", "again=False", "self.wake(None, again=False)"),
        ("Queue.close", "again=True", "", "self.wake(None)"),
        ("Queue.close", "self.wake(None, again=True)", "", "pass"),
        ("Queue.put", "'are too many'", "'wait'", "raise Full('%d tasks wait' % LIMIT)"),
        ("Queue", "LIMIT", "5", "size = 5"),
        ("", "LIMIT = 3", "LIMIT = 4", "LIMIT = 4"),
    ],
)
def test_a_node_is_replaced(where, before, after, line):
    """Expressions, statements, arguments, pieces of texts; in functions, classes and modules."""
    lines = changed(where, before, after).splitlines()

    assert [each.strip() for each in lines].count(line) == 1
    assert ast.unparse(ast.parse(SOURCE)).splitlines() != lines


def test_statements_that_follow_each_other_are_replaced():
    """They leave a body that has something in it."""
    text = changed(
        "Queue.put",
        """
            self.tasks.append(task)
            self.wake(task, again=True)
        """,
        "",
    )

    assert "append" not in text
    assert text.count("self.wake") == 1


@pytest.mark.parametrize(
    ("where", "before", "said"),
    [
        (
            "Queue.put",
            "again=False",
            "Queue.put in queue.py has 0 times instead of once: again=False",
        ),
        ("Queue.put", "self.tasks.append(job)", "self.tasks.append(task)"),
        ("Queue.put", "task", "has 3 times instead of once"),
        ("Queue.get", "task", "has no Queue.get: where get should be are put, close"),
        ("", "self.wake(None, again=True)", "the module in queue.py has 0 times"),
    ],
)
def test_a_misfit_names_the_function_and_what_is_near(where, before, said):
    """What is missing or ambiguous is an error, with candidates."""
    with pytest.raises(MisfitError) as caught:
        changed(where, before, "None")

    assert said in str(caught.value)
