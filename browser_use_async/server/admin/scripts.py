"""Administration of scripts: their versions, what came of playing them, and their texts."""

import attrs

from browser_use_async.server.errors import NotFoundError
from browser_use_async.server.executors.scripts.check import problem_with
from browser_use_async.server.executors.scripts.notation import inputs_in
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.scripts import Origin, ScriptVersion
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled

_REQUIRED = FieldRule(FieldKind.TEXT, nullable=False, required=True)
_NO_SCRIPT = "There is no script of this name"


@attrs.frozen
class ScriptName:
    """The script that a call is about.

    Attributes:
        name: Its name.
    """

    name: str = ruled(_REQUIRED)


@attrs.frozen
class OneVersion:
    """The version that a call is about.

    Attributes:
        name: The name of the script.
        version: The number of the version.
    """

    name: str = ruled(_REQUIRED)
    version: int = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, required=True, minimum=1, maximum=2**31 - 1)
    )


@attrs.frozen
class ScriptText:
    """The text of a new version.

    Attributes:
        text: The script, in its notation.
    """

    text: str = ruled(_REQUIRED)


@admin_operation("admin_scripts", "GET /admin/scripts", Scope.READ)
async def show_scripts(server: RunningServer) -> Json:
    """Lists the scripts: the latest version of each, with the counts of all."""
    found = await server.stores.scripts.all()
    return Json(scripts=[Json(**_as_json(each), inputs=inputs_in(each.text)) for each in found])


@admin_operation("admin_script", "GET /admin/scripts/{name}", Scope.READ, parameters=ScriptName)
async def show_script(server: RunningServer, path: ScriptName) -> Json:
    """Lists all versions of a script, the latest first."""
    found = await server.stores.scripts.versions(path.name)
    if not found:
        raise NotFoundError(_NO_SCRIPT)
    return Json(name=path.name, versions=[_as_json(each) for each in found])


@admin_operation(
    "admin_script_version",
    "GET /admin/scripts/{name}/{version}",
    Scope.READ,
    parameters=OneVersion,
)
async def show_version(server: RunningServer, path: OneVersion) -> Json:
    """Shows one version of a script with its text."""
    found = await server.stores.scripts.version(path.name, path.version)
    if found is None:
        raise NotFoundError("There is no such version of a script of this name")
    return Json({**_as_json(found), "text": found.text})


@admin_operation(
    "admin_put_script",
    "PUT /admin/scripts/{name}",
    Scope.RUN,
    parameters=ScriptName,
    body=ScriptText,
)
async def put_script(server: RunningServer, path: ScriptName, new: ScriptText) -> Json:
    """Adds a version of a script; tasks play it from now on."""
    scripts = server.stores.scripts
    problem = await scripts.refusal(path.name) or problem_with(new.text, path.name)
    if problem:
        raise HttpError(422, problem)
    return _as_json(await scripts.put(path.name, new.text, Origin.EDITED))


@admin_operation(
    "admin_delete_script", "DELETE /admin/scripts/{name}", Scope.RUN, parameters=ScriptName
)
async def delete_script(server: RunningServer, path: ScriptName) -> None:
    """Deletes all versions of a script; the next task that names it records it anew."""
    if not await server.stores.scripts.delete(path.name):
        raise NotFoundError(_NO_SCRIPT)


def _as_json(version: ScriptVersion) -> Json:
    fields = attrs.asdict(version, filter=attrs.filters.exclude("text"))
    return Json({**fields, "made_at": to_moment(version.made_at)})
