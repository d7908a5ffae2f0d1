"""The table of the states of a watched task, and the functions that set them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"^\| state \| says .*?\n\n", re.DOTALL | re.MULTILINE)


def _rows() -> Iterator[tuple[set[str], set[str]]]:
    """The states of each row, and the functions that set or clear them."""
    found = TABLE.search((ROOT / "CONTRIBUTING.md").read_text("utf-8") + "\n")
    assert found is not None
    for line in found[0].splitlines()[2:]:
        cells = [set(re.findall(r"`(\w+)`", cell)) for cell in line.split("|")]
        if cells[1:]:
            yield cells[1], cells[3] | cells[4]


def _assigned(function: ast.AST) -> Iterator[str]:
    """The attributes that a function assigns."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def test_the_table_names_each_function_that_sets_a_state():
    """The named functions set the states of their row, and no other function of the room does."""
    setters: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "browser_use_async" / "polling").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for name in _assigned(node):
                    setters[name].add(node.name)
    rows = list(_rows())

    assert rows
    for states, functions in rows:
        assert functions == set().union(*(setters[each] for each in states)), states
