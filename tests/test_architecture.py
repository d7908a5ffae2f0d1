"""The layers: which module may import which, and the exported names."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import attrs

from browser_use_async.api import endpoint_table as table

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "browser_use_async"

# A module imports only from its own room and from lower levels; this includes imports for types.
LEVELS = {
    "errors": 0,
    "lazy": 0,
    "system": 0,
    "version": 0,
    "types": 1,
    "config_file": 2,
    "logs": 2,
    "postgres": 2,
    "prices": 2,
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
    "budgets": 10,
    "observing": 10,
    "session": 11,
    "telemetry": 12,
    "__init__": 12,
    "mcp": 13,
    "testing": 13,
    "cli": 14,
    "report": 15,
    "__main__": 15,
}
# An error has a timeline, of what a session tells, and is shown shortly in notebooks.
ERRORS = {"errors", "events", "short_traceback"}
# Imports inside the functions of a room: a response that is stored or parsed needs the converter
# and the parser, which need the classes of responses.
ON_CALL = {"types": {"api", "prices", "structured_output"}}
# The thin layer, one module for each section of the API, stands beside the contract in `api`.
SECTIONS = {"section", "browser_profiles", "scheduled_tasks", "services", "tasks"}
# Modules that stand above or below the others of their folder.
APART = {
    ("batch", "report"): "report",  # the path under which users know `cli.report`
    ("money", "budgets"): "budgets",  # the others are arithmetic
    ("observing", "observers"): "observers",  # what the core notifies
    ("observing", "telemetry"): "telemetry",  # it is given a session
}
# Outside of this order: the imports that each may have from the others.
ANNEXES = {
    "server": {
        *("errors", "lazy", "system", "version", "types", "api", "prices"),
        "structured_output",
        *("postgres", "webhooks"),
    }
}
HOSTS_OF_THE_SERVER = {"cli", "testing"}
# Without input and output, so that every rule in them can be tested without a loop.
PURE = {
    *(
        "errors",
        "lazy",
        "version",
        "types",
        "api",
        "structured_output",
        "prices",
        "money",
    )
}
IMPURE_LIBRARIES = {"aiohttp", "asyncio", "socket", "ssl", "tenacity", "threading"}
# `aiohttp.web` is a different case: a webhook receiver may be one of its handlers.
CLIENT_LIBRARIES = {"aiohttp", "tenacity"}
USERS_OF_CLIENT_LIBRARIES = {"transport", "server"}
# The session is observed from above, by modules that the core does not know.
CORE = {"api", "observers", "transport", "sections", "polling", "paging", "files", "lifecycle"}
OBSERVERS = {"budgets", "observing", "telemetry", "testing"}

# The rows of the server are made of these: values, and the sealing of secrets.
BELOW_STORAGE = {"checks", "errors", "extras", "loops", "records", "secrets"}

# Rooms of the server without HTTP: they raise `errors`, for which `http.errors` has statuses.
WITHOUT_HTTP = {
    *("errors", "records", "secrets", "storage", "tasks", "fleet", "executors", "keys"),
    *("webhooks", "search", "egress", "html"),
}

# Modules from which users import; elsewhere `__all__` need not list a constant for its neighbours.
PUBLIC_MODULES = {
    "browser_use_async",
    "browser_use_async.batch",
    "browser_use_async.batch.report",
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
SERVER_FILES = sorted((PACKAGE / "server").rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return _room_of(*parts)


def _room_of(room: str, module: str = "", *_inner: str) -> str:
    if room in ERRORS:
        return "errors"
    if (room, module) in APART:
        return APART[room, module]
    return "sections" if room == "api" and module in SECTIONS else room


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


# --- the facts of a file ---------------------------------------------------------------------


@attrs.frozen
class Import:
    """A name that a file imports.

    Attributes:
        name: The name, dotted and whole.
        typed: Whether it is for the type checker alone.
        on_call: Whether a function imports it, when it is called.
    """

    name: str
    typed: bool
    on_call: bool


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


def _imports(node: ast.AST, *, typed: bool = False, on_call: bool = False) -> Iterator[Import]:
    """Every import below a node. Only statements have any."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, typed, on_call) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute, so that a reader can search for them"
            for alias in child.names:
                yield Import(f"{child.module}.{alias.name}", typed, on_call)
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports(
                child, typed=typed or _is_typing_guard(child), on_call=on_call or is_function
            )


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


def _imported_rooms(path: Path, *, on_call: bool) -> set[str]:
    """The rooms of this package that a file names, `__init__` for the package itself.

    Imports inside its functions are left out by default; imports for the type checker are not.
    """
    imports = _source(path).imports
    parts = [each.name.split(".") for each in imports if on_call or not each.on_call]
    ours = [each for each in parts if each[0] == "browser_use_async"]
    known = LEVELS.keys() | ANNEXES.keys()
    rooms = {_room_of(*each[1:]) for each in ours if len(each) > 1}
    return {each if each in known else "__init__" for each in rooms}


# --- rooms ----------------------------------------------------------------------------------


def test_imports_go_downwards() -> None:
    """A file imports from its own room and from rooms on lower levels, and from no others."""
    upwards: dict[str, set[str]] = {}
    for path in FILES:
        room = _room(path)
        at_once = _imported_rooms(path, on_call=False) - {room}
        others = _imported_rooms(path, on_call=True) - {room}
        if room in ANNEXES:
            allowed = ANNEXES[room]
        else:
            allowed = {other for other, level in LEVELS.items() if level < LEVELS[room]}
            allowed |= {"server"} if room in HOSTS_OF_THE_SERVER else set()
        upwards[_name(path)] = (at_once - allowed) | (others - allowed - ON_CALL.get(room, set()))

    assert {name: rooms for name, rooms in upwards.items() if rooms} == {}


def test_errors_import_no_types() -> None:
    """Types raise errors, so errors import none of them: not for the type checker, not on call."""
    for name in sorted(ERRORS):
        assert _imported_rooms(PACKAGE / f"{name}.py", on_call=True) <= {"errors"}, name


def test_no_circle_connects_rooms() -> None:
    """Rooms can be put into an order in which each imports only those before it."""
    named: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        named[_room(path)] |= _imported_rooms(path, on_call=False) - {_room(path)}

    assert [*TopologicalSorter(named).static_order()]  # raises CycleError


def test_storage_has_rows_and_nothing_else() -> None:
    """It imports no HTTP, no picture, no executor, and nothing that is built on it."""
    for path in sorted((PACKAGE / "server/storage").rglob("*.py")):
        names = _names(path)
        ours = {
            each.split(".")[2] for each in names if each.startswith("browser_use_async.server.")
        }

        assert ours - {"storage"} <= BELOW_STORAGE, _name(path)
        assert "aiohttp" not in {_library(each) for each in names}, _name(path)


def _inner_room(name: str) -> str:
    """The folder or module of the server of a dotted name."""
    return name.split(".")[2] if name.count(".") > 1 else ""


def _inner_rooms(path: Path) -> set[str]:
    """The rooms of the server that one of its files imports, in functions and for types, too."""
    names = {each for each in _names(path) if each.startswith("browser_use_async.server.")}
    return {_inner_room(each) for each in names} - {_inner_room(_module(path))}


def test_statuses_stand_above() -> None:
    """Rooms that store, run and start tasks raise their own errors, and know nothing of HTTP."""
    for path in SERVER_FILES:
        room = _inner_room(_module(path))
        named = _inner_rooms(path)

        assert room not in WITHOUT_HTTP or not named & {"http", "app", "admin"}, _name(path)
        assert room != "storage" or not named & {"executors", "tasks", "pictures"}, _name(path)


def test_the_core_knows_no_observer() -> None:
    """Observed modules import no log handler, timeline recorder, spans or budget."""
    for path in [each for each in FILES if _room(each) in CORE]:
        assert not _imported_rooms(path, on_call=True) & OBSERVERS, _name(path)
        assert "browser_use_async.logs.StderrHandler" not in _names(path), _name(path)


def test_the_contract_does_no_input_or_output() -> None:
    """Errors, models and contract import neither asyncio nor aiohttp nor the like."""
    for path in [each for each in FILES if _room(each) in PURE]:
        libraries = {_library(each) for each in _names(path, typed=False)}

        assert not libraries & IMPURE_LIBRARIES, _name(path)


def test_one_room_speaks_http() -> None:
    """In the SDK only `transport` uses aiohttp's client and tenacity; others may name types."""
    for path in [each for each in FILES if _room(each) not in USERS_OF_CLIENT_LIBRARIES]:
        imported = {
            each
            for each in _names(path, typed=False)
            if _library(each) in CLIENT_LIBRARIES and not each.startswith("aiohttp.web")
        }

        assert imported <= {"aiohttp"}, _name(path)
        assert not imported & _source(path).used, _name(path)


def test_users_import_public_names() -> None:
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


def test_exports_are_exact() -> None:
    """`__all__` of a module that users import from lists each of its public names, no other."""
    public = [each for each in FILES if _module(each) in PUBLIC_MODULES]
    for path in public:
        source = _source(path)

        assert sorted(source.defined, key=_sort_key) == source.exported, _name(path)
    assert len(public) == len(PUBLIC_MODULES)


def test_exports_stand_where_names_are_imported_from() -> None:
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


def test_each_row_has_exactly_one_method() -> None:
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


def test_each_asyncio_task_has_a_name() -> None:
    """The list of a program's asyncio tasks shows the purpose of each, and the package."""
    for path in FILES:
        for task in _source(path).tasks:
            names = [each.value for each in task.keywords if each.arg == "name"]
            assert len(names) == 1, f"{_name(path)}:{task.lineno}: {ast.unparse(task)}"
            is_written_here = isinstance(names[0], ast.Constant | ast.JoinedStr)
            assert not is_written_here or "browser-use: " in ast.unparse(names[0]), _name(path)
