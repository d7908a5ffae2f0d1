"""The source of a file in which one node of one function is replaced.

Nodes are compared as trees, so neither the layout of the source nor its comments matter.
"""

import ast
import difflib
import textwrap
from collections.abc import Iterator, Sequence

import attrs

from tests.proofs.mutants.mutant import Mutant

__all__ = ["MisfitError", "Place", "mutated", "place_of"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)


class MisfitError(Exception):
    """The source that a mutant replaces is not there exactly once."""


@attrs.frozen
class Place:
    """The replaced node of a mutant, and the new one.

    Attributes:
        parent: The node that has it.
        field: In which of its fields.
        part: Which elements of the field; None if it is no list.
        new: What comes there.
    """

    parent: ast.AST
    field: str
    part: slice | None
    new: list[ast.AST]

    def replace(self) -> None:
        """Change the tree."""
        if self.part is None:
            setattr(self.parent, self.field, self.new[0])
            return
        value = getattr(self.parent, self.field)
        value[self.part] = self.new
        if not value and self.field == "body":
            value.append(ast.Pass())


def mutated(source: str, mutant: Mutant) -> str:
    """The source without the defence.

    Raises:
        MisfitError: The defence is not there exactly once.
    """
    tree = ast.parse(source)
    place_of(tree, mutant).replace()
    return ast.unparse(ast.fix_missing_locations(tree))


def place_of(tree: ast.Module, mutant: Mutant) -> Place:
    """The one place in a file that a mutant means.

    Raises:
        MisfitError: There is none, or more than one.
    """
    scopes = _scopes(tree, mutant)
    before, after = _parsed(mutant.before), _parsed(mutant.after)
    found = [place for scope in scopes for place in _places(scope, before, after)]
    if len(found) != 1:
        there = {ast.unparse(node) for scope in scopes for node in _inside(scope)}
        near = difflib.get_close_matches(mutant.before.strip(), there, 3, 0.4)
        raise MisfitError(
            f"{mutant.where or 'the module'} in {mutant.file} has {len(found)} times instead of "
            f"once: {mutant.before.strip()}\nSimilar to it is there: {near}"
        )
    return found[0]


def _scopes(tree: ast.Module, mutant: Mutant) -> list[ast.AST]:
    """The nodes with the qualified name: several if a function has overloads."""
    scopes: list[ast.AST] = [tree]
    for name in filter(None, mutant.where.split(".")):
        inner = [
            node
            for scope in scopes
            for parent in _inside(scope)
            for node in ast.iter_child_nodes(parent)
            if isinstance(node, _DEFINITIONS) and node is not scope
        ]
        scopes = [node for node in inner if node.name == name]
        if not scopes:
            names = ", ".join(dict.fromkeys(node.name for node in inner))
            where = f"{mutant.file} has no {mutant.where}"
            raise MisfitError(f"{where}: where {name} should be are {names}")
    return scopes


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function; of a class or module those outside of inner definitions."""
    left = [scope]
    while left:
        node = left.pop()
        yield node
        left += [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(scope, _FUNCTIONS) or not isinstance(child, _DEFINITIONS)
        ]


def _parsed(text: str) -> list[ast.stmt]:
    text = textwrap.dedent(text).strip()
    try:
        return ast.parse(text).body
    except SyntaxError:
        return ast.parse(f"(\n{text}\n)").body  # an expression of several lines


def _places(scope: ast.AST, before: list[ast.stmt], after: list[ast.stmt]) -> Iterator[Place]:
    match before, after:
        case [ast.Expr(old)], [ast.Expr(new)]:
            yield from _expressions(scope, old, new)
        case [ast.Assign([ast.Name()])], [] | [ast.Assign([ast.Name()])]:
            yield from _sequences(scope, before, after)
            yield from _sequences(scope, _keywords(before), _keywords(after))
        case _:
            yield from _sequences(scope, before, after)


def _expressions(scope: ast.AST, old: ast.expr, new: ast.expr) -> Iterator[Place]:
    for parent in _inside(scope):
        for field, value in ast.iter_fields(parent):
            is_list = isinstance(value, list)
            for index, node in enumerate(value if is_list else [value]):
                for replaced in _replaced(node, old, new):
                    part = slice(index, index + 1) if is_list else None
                    yield Place(parent, field, part, [replaced])


def _replaced(node: object, old: ast.expr, new: ast.expr) -> Iterator[ast.expr]:
    """The replacement of a node, or of each occurrence in a text."""
    match node, old, new:
        case ast.Constant(str(text)), ast.Constant(str(piece)), ast.Constant(str(other)):
            yield from [ast.Constant(text.replace(piece, other))] * text.count(piece)
        case _ if type(node) is type(old) and _is_same(node, old):
            yield new


def _sequences(
    scope: ast.AST, before: Sequence[ast.AST], after: Sequence[ast.AST]
) -> Iterator[Place]:
    for parent in _inside(scope):
        for field, value in ast.iter_fields(parent):
            if not isinstance(value, list):
                continue
            for start in range(len(value) - len(before) + 1):
                part = slice(start, start + len(before))
                if all(map(_is_same, value[part], before)):
                    yield Place(parent, field, part, list(after))


def _keywords(assignments: list[ast.stmt]) -> list[ast.keyword]:
    """Assignments as arguments of a call, which look the same."""
    return [
        ast.keyword(target.id, each.value)
        for each in assignments
        if isinstance(each, ast.Assign) and isinstance(target := each.targets[0], ast.Name)
    ]


def _is_same(node: ast.AST, other: ast.AST) -> bool:
    return type(node) is type(other) and ast.dump(node) == ast.dump(other)
