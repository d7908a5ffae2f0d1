"""The floor plan: who may import whom, and what is exported."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from browser_use_async.api import endpoint_table as table

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "browser_use_async"

# A module imports only from its own room and from lower levels, for the type checker too.
LEVELS = {
    "lazy": 0,
    "removals": 0,
    "system": 0,
    "version": 0,
    "types": 1,
    "config_file": 2,
    "events": 2,
    "logs": 2,
    "postgres": 2,
    "prices": 2,
    "secret_sources": 2,
    "api": 3,
    "money": 3,
    "observers": 4,
    "structured_output": 4,
    "transport": 5,
    "paging": 5,
    "sections": 6,
    "polling": 7,
    "files": 7,
    "lifecycle": 8,
    "webhooks": 8,
    "batch": 9,
    "budget": 10,
    "flight_recorder": 10,
    "notebook": 10,
    "session_log": 10,
    "session": 11,
    "telemetry": 12,
    "__init__": 12,
    "mcp": 13,
    "testing": 13,
    "cli": 14,
    "report": 15,
    "__main__": 15,
}
# Values and errors name each other: an error has the task that failed and what happened before.
VALUES = {"errors", "timeline", "types"}
# What functions of a room import besides when they are called: a response that is stored or parsed
# needs the converter and the parser, which need the classes of responses.
ON_CALL = {"types": {"api", "prices", "structured_output"}, "lazy": {"removals"}}
# The thin layer, one module for each section of the API, stands beside the contract in `api`.
SECTIONS = {"section", "browser_profiles", "scheduled_tasks", "services", "tasks"}
# Outside of this order: what each may import from the others.
ANNEXES = {
    "server": {
        *("lazy", "removals", "system", "version", "types", "api", "prices"),
        "structured_output",
        *("postgres", "secret_sources", "webhooks"),
    }
}
HOSTS_OF_THE_SERVER = {"cli", "testing"}
# Without input and output, so that every rule in them can be tested without a loop.
PURE = {
    *(
        "lazy",
        "removals",
        "version",
        "types",
        "events",
        "api",
        "structured_output",
        "prices",
        "money",
    )
}
IMPURE_LIBRARIES = {"aiohttp", "asyncio", "socket", "ssl", "tenacity", "threading"}
# `aiohttp.web` is another matter: a webhook receiver may be one of its handlers.
CLIENT_LIBRARIES = {"aiohttp", "tenacity"}
USERS_OF_CLIENT_LIBRARIES = {"transport", "server"}
# What the session does is observed from above, by modules that the core does not know.
CORE = {"api", "observers", "transport", "sections", "polling", "paging", "files", "lifecycle"}
OBSERVERS = {"budget", "flight_recorder", "notebook", "session_log", "telemetry", "testing"}

# What the rows of the server may be made of: values, and how secrets are sealed.
BELOW_STORAGE = {"background_tasks", "encryption", "errors", "extras", "records", "schedule"}

# Rooms of the server that know no HTTP: they raise `errors`, which `http.errors` has statuses for.
WITHOUT_HTTP = {
    *("errors", "records", "schedule", "scheduler", "task_start"),
    *("storage", "tasks", "fleet", "executors", "keys", "webhooks", "search", "egress", "html"),
}

# What users import from; elsewhere a constant need not be exported to be read by its neighbours.
PUBLIC_MODULES = {
    "browser_use_async",
    "browser_use_async.batch",
    "browser_use_async.batch.report",
    "browser_use_async.errors",
    "browser_use_async.events",
    "browser_use_async.types",
    "browser_use_async.prices",
    "browser_use_async.telemetry",
    "browser_use_async.timeline",
    "browser_use_async.server",
    "browser_use_async.testing",
    "browser_use_async.webhooks",
}

_MAKERS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

FILES = sorted(PACKAGE.rglob("*.py"))
SERVER_FILES = sorted((PACKAGE / "server").rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return _room_of(*parts)


def _room_of(room: str, module: str = "", *_inner: str) -> str:
    if room in VALUES:
        return "types"
    if (room, module) == ("batch", "report"):  # the path under which users know `cli.report`
        return "report"
    return "sections" if room == "api" and module in SECTIONS else room


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _is_typing_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _imports(node: ast.AST, *, typed: bool = False) -> Iterator[str]:
    """Every imported name, dotted and whole; if `typed`, also those of the type checker alone."""
    for child in ast.iter_child_nodes(node):
        if _is_typing_guard(child) and not typed:
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute, so that a reader can search for them"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from _imports(child, typed=typed)


def _imports_of(path: Path) -> list[str]:
    return list(_imports(ast.parse(path.read_text())))


def _imported_rooms(path: Path, *, on_call: bool) -> set[str]:
    """The rooms of this package that a file names, `__init__` for the package itself.

    Those that only its functions import, when they are called, are left out if not asked for; those
    that it names for the type checker alone are not.
    """
    tree: ast.AST = ast.parse(path.read_text())
    names = _imports(tree if on_call else _WithoutFunctions().visit(tree), typed=True)
    parts = [name.split(".") for name in names]
    ours = [each for each in parts if each[0] == "browser_use_async"]
    known = LEVELS.keys() | ANNEXES.keys()
    rooms = {_room_of(*each[1:]) for each in ours if len(each) > 1}
    return {each if each in known else "__init__" for each in rooms}


class _WithoutFunctions(ast.NodeTransformer):
    """Drops functions and methods."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        return None


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_go_downwards(path: Path) -> None:
    """A file imports from its own room and from rooms on lower levels, and from no others."""
    room = _room(path)
    at_once = _imported_rooms(path, on_call=False) - {room}
    others = _imported_rooms(path, on_call=True) - {room}
    if room in ANNEXES:
        allowed = ANNEXES[room]
    else:
        allowed = {other for other, level in LEVELS.items() if level < LEVELS[room]}
        allowed |= {"server"} if room in HOSTS_OF_THE_SERVER else set()

    assert at_once <= allowed
    assert others <= allowed | ON_CALL.get(room, set())


def test_no_circle_connects_rooms() -> None:
    """Rooms can be put into an order in which each names only those before it."""
    named: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        named[_room(path)] |= _imported_rooms(path, on_call=False) - {_room(path)}

    assert [*TopologicalSorter(named).static_order()]  # raises CycleError


@pytest.mark.parametrize("path", sorted((PACKAGE / "server/storage").rglob("*.py")), ids=_name)
def test_storage_has_rows_and_nothing_else(path: Path) -> None:
    """It names no HTTP, no picture, no executor, and nothing that is made of what it stores."""
    names = [*_imports(ast.parse(path.read_text()), typed=True)]
    ours = {name.split(".")[2] for name in names if name.startswith("browser_use_async.server.")}

    assert ours - {"storage"} <= BELOW_STORAGE
    assert "aiohttp" not in {name.partition(".")[0] for name in names}


def _inner_room(name: str) -> str:
    """The folder or module of the server to which a dotted name leads."""
    return name.split(".")[2] if name.count(".") > 1 else ""


def _inner_rooms(path: Path) -> set[str]:
    """The rooms of the server that one of its files names, in functions and for types, too."""
    imported = _imports(ast.parse(path.read_text()), typed=True)
    names = {each for each in imported if each.startswith("browser_use_async.server.")}
    return {_inner_room(each) for each in names} - {_inner_room(_module(path))}


def test_no_circle_connects_rooms_of_the_server() -> None:
    """Its folders, and the modules beside them, can be put into such an order as well."""
    named: dict[str, set[str]] = defaultdict(set)
    for path in SERVER_FILES:
        named[_inner_room(_module(path))] |= _inner_rooms(path)

    assert [*TopologicalSorter(named).static_order()]  # raises CycleError


@pytest.mark.parametrize("path", SERVER_FILES, ids=_name)
def test_statuses_stand_above(path: Path) -> None:
    """What stores, carries out and starts tasks says what happened, and nothing of HTTP."""
    room = _inner_room(_module(path))
    named = _inner_rooms(path)

    assert room not in WITHOUT_HTTP or not named & {"http", "app", "admin"}
    assert room != "storage" or not named & {"executors", "tasks", "pictures"}


@pytest.mark.parametrize("path", [each for each in FILES if _room(each) in CORE], ids=_name)
def test_the_core_knows_no_observer(path: Path) -> None:
    """What is observed names no log handler, timeline recorder, spans, budget or cassette."""
    names = [*_imports(ast.parse(path.read_text()), typed=True)]

    assert not _imported_rooms(path, on_call=True) & OBSERVERS
    assert "browser_use_async.logs.StderrHandler" not in names


@pytest.mark.parametrize("path", [each for each in FILES if _room(each) in PURE], ids=_name)
def test_the_contract_does_no_input_or_output(path: Path) -> None:
    """Errors, models and contract import neither asyncio nor aiohttp nor the like."""
    libraries = {name.partition(".")[0] for name in _imports_of(path)}

    assert not libraries & IMPURE_LIBRARIES


class _WithoutSignatures(ast.NodeTransformer):
    """Drops annotations: to name a type of aiohttp in a signature is not to use its client."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self.visit(node.value) if node.value else None


@pytest.mark.parametrize(
    "path", [each for each in FILES if _room(each) not in USERS_OF_CLIENT_LIBRARIES], ids=_name
)
def test_one_room_speaks_http(path: Path) -> None:
    """In the SDK only `transport` uses aiohttp's client and tenacity; others may name types."""
    tree = ast.parse(path.read_text())
    imported = {
        name
        for name in _imports(tree)
        if name.partition(".")[0] in CLIENT_LIBRARIES and not name.startswith("aiohttp.web")
    }
    remaining = ast.walk(_WithoutSignatures().visit(tree))
    used = {node.id for node in remaining if isinstance(node, ast.Name)}

    assert imported <= {"aiohttp"}
    assert not imported & used


def _outside() -> list[Path]:
    return [ROOT / "pytest_browser_use_async.py", *sorted((ROOT / "examples").rglob("*.py"))]


@pytest.mark.parametrize("path", [each for each in _outside() if each.exists()], ids=_name)
def test_users_import_public_names(path: Path) -> None:
    """The pytest plugin and the examples do what users can do: no underscored name."""
    ours = [name for name in _imports_of(path) if name.startswith("browser_use_async")]

    assert not [name for name in ours if "._" in name]


# --- exports --------------------------------------------------------------------------------


def _sort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    if name.isupper():
        return 0, name
    return (1, name) if name[:1].isupper() else (2, name)


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
    """The public names that a module makes; in an `__init__` also those that it imports."""
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
    """What a lazy `__init__` shows to type checkers only, and loads on first use."""
    return [
        statement
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
    ]


def _is_tool(node: ast.ImportFrom) -> bool:
    return node.module in {"browser_use_async.lazy", "typing"}


@pytest.mark.parametrize(
    "path", [each for each in FILES if _module(each) in PUBLIC_MODULES], ids=_name
)
def test_exports_are_exact(path: Path) -> None:
    """`__all__` of a module that users import from lists each of its public names, no other."""
    tree = ast.parse(path.read_text())
    defined = _defined(tree, imports=path.name == "__init__.py")

    assert sorted(defined, key=_sort_key) == _exported(tree)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_exports_stand_where_names_are_imported_from(path: Path) -> None:
    """`__all__` is sorted and true; inner modules do without, since their names are not offered."""
    tree = ast.parse(path.read_text())
    exported = _exported(tree)

    assert exported == sorted(set(exported), key=_sort_key)
    assert set(exported) <= _defined(tree, imports=path.name == "__init__.py")
    if path.name != "__init__.py" and _module(path) not in PUBLIC_MODULES:
        assert exported == []


# --- one row, one method --------------------------------------------------------------------


def _rows_used(function: ast.AsyncFunctionDef) -> list[str]:
    """The rows of the table that a method calls."""
    return [
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "table"
    ]


def test_each_row_has_exactly_one_method() -> None:
    """A call of the API is one public method of the thin layer, and `ping` is the session's."""
    files = [*sorted((PACKAGE / "api").glob("*.py")), PACKAGE / "session.py"]
    methods = [
        node
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    called = [row for method in methods for row in _rows_used(method)]
    rows = [name for name in dir(table) if isinstance(getattr(table, name), table.Endpoint)]

    assert sorted(rows) == sorted(called)
    assert [method.name for method in methods if len(_rows_used(method)) > 1] == []
    assert [method.name for method in methods if _rows_used(method) and method.name[0] == "_"] == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_each_asyncio_task_has_a_name(path: Path) -> None:
    """A list of a program's tasks says of each what it does, and that it is this package's."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("create_task"):
            names = [each.value for each in node.keywords if each.arg == "name"]
            assert len(names) == 1, f"line {node.lineno}: {ast.unparse(node)}"
            is_written_here = isinstance(names[0], ast.Constant | ast.JoinedStr)
            assert not is_written_here or "browser-use: " in ast.unparse(names[0])
