"""Finds the sleeps of tests that take real time, by reading their source."""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["long_sleeps"]

Function = ast.FunctionDef | ast.AsyncFunctionDef

_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def long_sleeps(source: str, longest: float = 1.0) -> list[int]:
    """The lines with a sleep of more than so many seconds outside virtual time.

    `time.sleep` is always real; `asyncio.sleep` is, unless the test or its whole file has the
    mark `looptime`. Not checked are lengths that only a run knows, and functions that are no tests
    in files with virtual tests or without tests: each test has a time limit.

    Args:
        source: The source of a module.
        longest: Seconds that are allowed.
    """
    module = ast.parse(source)
    constants = dict(_constants(module))
    is_virtual = any(_mentions_looptime(each) for each in module.body if _is_mark(each))
    some_virtual = "looptime" in source or "def test_" not in source
    return sorted(
        call.lineno
        for function in _outermost(module)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and call.args
        if _is_real(call, function, is_virtual=is_virtual, some_virtual=some_virtual)
        if (_seconds(call.args[0], constants) or 0.0) > longest
    )


def _is_real(call: ast.Call, function: Function, *, is_virtual: bool, some_virtual: bool) -> bool:
    name = ast.unparse(call.func)
    if name == "time.sleep":
        return True
    if name != "asyncio.sleep" or is_virtual:
        return False
    if any(_mentions_looptime(each) for each in function.decorator_list):
        return False
    return function.name.startswith("test_") or not some_virtual


def _outermost(module: ast.Module) -> Iterator[Function]:
    """Functions and methods, without those inside of another one."""
    pending: list[ast.AST] = list(module.body)
    for node in pending:
        if isinstance(node, Function):
            yield node
        elif isinstance(node, ast.ClassDef):
            pending.extend(node.body)


def _is_mark(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark"


def _mentions_looptime(node: ast.AST) -> bool:
    return "looptime" in ast.unparse(node)


def _constants(module: ast.Module) -> Iterator[tuple[str, float]]:
    for statement in module.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            seconds = _seconds(statement.value, {})
            if seconds is not None:
                yield statement.targets[0].id, seconds


def _seconds(expression: ast.expr, constants: Mapping[str, float]) -> float | None:
    """The value of a number, a named one, or a sum or product of such."""
    match expression:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return constants.get(name)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            parts: list[Any] = [_seconds(left, constants), _seconds(right, constants)]
            return None if None in parts else _OPERATORS[type(sign)](*parts)
        case _:
            return None
