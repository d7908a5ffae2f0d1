"""What import-linter does not check: the exported names, and who speaks HTTP.

Which module may import which stands in `pyproject.toml`, as contracts of import-linter.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs

from browser_use_async.api import endpoint_table as table

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "browser_use_async"

# `aiohttp.web` is a different case: a webhook receiver may be one of its handlers.
CLIENT_LIBRARIES = {"aiohttp", "tenacity"}
USERS_OF_CLIENT_LIBRARIES = {"transport", "server"}
# What the core, which only notifies, does not use: a log on the screen is an observer.
CORE = {"api", "transport", "polling", "paging", "files", "lifecycle"}

# Modules from which users import; elsewhere `__all__` need not list a constant for its neighbours.
PUBLIC_MODULES = {
    "browser_use_async",
    "browser_use_async.batch",
    "browser_use_async.errors",
    "browser_use_async.events",
    "browser_use_async.types",
    "browser_use_async.prices",
    "browser_use_async.observing.telemetry",
    "browser_use_async.server",
    "browser_use_async.testing",
    "browser_use_async.webhooks",
}

_MAKERS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

FILES = sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


# --- the facts of a file ---------------------------------------------------------------------


@attrs.frozen
class Import:
    """A name that a file imports.

    Attributes:
        name: The name, dotted and whole.
        typed: Whether it is for the type checker alone.
    """

    name: str
    typed: bool


@attrs.frozen
class Source:
    """The facts of one file for all rules, parsed once.

    Attributes:
        imports: Its imports.
        exported: Its `__all__`.
        defined: The public names that it makes; in an `__init__` also those that it imports.
        tasks: The calls that make asyncio tasks.
        used: The names in its code, without those in annotations of arguments and variables. Only
            of a file that imports a library of HTTP clients.
    """

    imports: list[Import]
    exported: list[str]
    defined: set[str]
    tasks: list[ast.Call]
    used: set[str]


@cache
def _source(path: Path) -> Source:
    text = path.read_text()
    tree = ast.parse(text)
    imports = [*_imports(tree)]
    names_client = any(_library(each.name) in CLIENT_LIBRARIES for each in imports)
    return Source(
        imports,
        _exported(tree),
        _defined(tree, imports=path.name == "__init__.py"),
        _tasks(tree) if "create_task" in text else [],
        _used(tree) if names_client else set(),  # the last: it changes the tree
    )


def _is_typing_guard(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _imports(node: ast.AST, *, typed: bool = False) -> Iterator[Import]:
    """Every import below a node. Only statements have any."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, typed) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute, so that a reader can search for them"
            for alias in child.names:
                yield Import(f"{child.module}.{alias.name}", typed)
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _imports(child, typed=typed or _is_typing_guard(child))


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def _is_type_variable(node: ast.Assign) -> bool:
    call = node.value
    return isinstance(call, ast.Call) and ast.unparse(call.func) in {"TypeVar", "ParamSpec"}


def _defined(tree: ast.Module, *, imports: bool) -> set[str]:
    """The public names of a module; in an `__init__` also those that it imports."""
    names: set[str] = set()
    for node in [*tree.body, *_lazily_imported(tree)]:
        if isinstance(node, _MAKERS):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and not _is_type_variable(node):
            names |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif imports and isinstance(node, ast.ImportFrom) and not _is_tool(node):
            names |= {alias.asname or alias.name for alias in node.names}
    return {name for name in names if not name.startswith("_")}


def _lazily_imported(tree: ast.Module) -> list[ast.stmt]:
    """The names that a lazy `__init__` shows to type checkers only, and loads on first use."""
    return [
        statement
        for node in tree.body
        if isinstance(node, ast.If) and _is_typing_guard(node)
        for statement in node.body
    ]


def _is_tool(node: ast.ImportFrom) -> bool:
    return node.module in {"browser_use_async.lazy", "typing"}


class _WithoutSignatures(ast.NodeTransformer):
    """Drops annotations: a type of aiohttp in a signature is no use of its client."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self.visit(node.value) if node.value else None


def _used(tree: ast.Module) -> set[str]:
    remaining = ast.walk(_WithoutSignatures().visit(tree))
    return {node.id for node in remaining if isinstance(node, ast.Name)}


def _tasks(tree: ast.Module) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("create_task")
    ]


def _names(path: Path, *, typed: bool = True) -> set[str]:
    """The names that a file imports; if not `typed`, without those for the type checker alone."""
    return {each.name for each in _source(path).imports if typed or not each.typed}


def _library(name: str) -> str:
    return name.partition(".")[0]


# --- rooms ----------------------------------------------------------------------------------


def test_the_core_writes_no_log_lines_to_the_screen():
    """Modules that a session's observers hear about have no handler of logs."""
    for path in [each for each in FILES if _room(each) in CORE]:
        assert "browser_use_async.logs.StderrHandler" not in _names(path), _name(path)


def test_one_room_speaks_http():
    """In the SDK only `transport` uses aiohttp's client and tenacity; others may name types."""
    for path in [each for each in FILES if _room(each) not in USERS_OF_CLIENT_LIBRARIES]:
        imported = {
            each
            for each in _names(path, typed=False)
            if _library(each) in CLIENT_LIBRARIES and not each.startswith("aiohttp.web")
        }

        assert imported <= {"aiohttp"}, _name(path)
        assert not imported & _source(path).used, _name(path)


def test_users_import_public_names():
    """The pytest plugin and the examples use public names only."""
    outside = [ROOT / "pytest_browser_use_async.py", *sorted((ROOT / "examples").rglob("*.py"))]
    for path in [each for each in outside if each.exists()]:
        names = [each for each in _names(path, typed=False) if each.startswith("browser_use_async")]

        assert not [each for each in names if "._" in each], _name(path)


# --- exports --------------------------------------------------------------------------------


def _sort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: ruff's order."""
    if name.isupper():
        return 0, name
    return (1, name) if name[:1].isupper() else (2, name)


def test_exports_are_exact():
    """`__all__` of a module that users import from lists each of its public names, no other."""
    public = [each for each in FILES if _module(each) in PUBLIC_MODULES]
    for path in public:
        source = _source(path)

        assert sorted(source.defined, key=_sort_key) == source.exported, _name(path)
    assert len(public) == len(PUBLIC_MODULES)


def test_exports_stand_where_names_are_imported_from():
    """`__all__` is sorted and correct; inner modules have none, since users do not import them."""
    for path in FILES:
        exported = _source(path).exported

        assert exported == sorted(set(exported), key=_sort_key), _name(path)
        assert set(exported) <= _source(path).defined, _name(path)
        if path.name != "__init__.py" and _module(path) not in PUBLIC_MODULES:
            assert exported == [], _name(path)


# --- one row, one method --------------------------------------------------------------------


def _rows_used(function: ast.AsyncFunctionDef) -> list[str]:
    """The rows of the table that a method calls."""
    return [
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "table"
    ]


def test_each_row_has_exactly_one_method():
    """A call of the API is one public method of the thin layer, and `ping` is the session's."""
    others = [PACKAGE / "files/endpoints.py", PACKAGE / "session.py"]
    files = [*sorted((PACKAGE / "api").glob("*.py")), *others]
    methods = [
        node
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    used = {method: _rows_used(method) for method in methods}
    called = [row for rows in used.values() for row in rows]
    rows = [name for name in dir(table) if isinstance(getattr(table, name), table.Endpoint)]

    assert sorted(rows) == sorted(called)
    assert [each.name for each, rows in used.items() if len(rows) > 1] == []
    assert [each.name for each, rows in used.items() if rows and each.name[0] == "_"] == []


def test_each_asyncio_task_has_a_name():
    """The list of a program's asyncio tasks shows the purpose of each, and the package."""
    for path in FILES:
        for task in _source(path).tasks:
            names = [each.value for each in task.keywords if each.arg == "name"]
            assert len(names) == 1, f"{_name(path)}:{task.lineno}: {ast.unparse(task)}"
            is_written_here = isinstance(names[0], ast.Constant | ast.JoinedStr)
            assert not is_written_here or "browser-use: " in ast.unparse(names[0]), _name(path)
