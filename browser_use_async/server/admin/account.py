"""Administration of credit, costs and faults; and whose key is used."""

from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.server.faults import fault_as_json, faults_from_json
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.running_server import RunningServer
from browser_use_async.types import Balance, FieldKind, FieldRule
from browser_use_async.types.base import ruled
from browser_use_async.version import __version__

_MOST_CENTS = 10**12


@attrs.frozen
class Credit:
    """Credit that is added.

    Attributes:
        cents: How much, in US cents.
    """

    cents: Decimal = ruled(
        FieldRule(
            FieldKind.NUMBER,
            required=True,
            nullable=False,
            maximum=_MOST_CENTS,
            check=lambda cents: None if cents > 0 else "it must be a number above 0",
        )
    )


@attrs.frozen
class TaskIds:
    """Tasks that are asked for.

    Attributes:
        task_id: The id of a task; it can be given several times.
    """

    task_id: list[str] = ruled(FieldRule(FieldKind.TEXT_LIST, nullable=False), default=())


@attrs.frozen
class FaultRules:
    """Fault rules in place of all others.

    Attributes:
        faults: The rules, in the order in which they are tried.
    """

    faults: list[Any] = ruled(FieldRule(FieldKind.LIST, required=True, nullable=False))


@admin_operation("admin_key", "GET /admin/key")
async def show_key(server: RunningServer) -> Json:
    """Returns the owner of the key, its scopes, and the executor; for the operator all owners."""
    account = server.stores.account
    return Json(
        name=server.owner,
        scopes=sorted(server.scopes),
        executor=server.runner.executor_name,
        version=__version__,
        balance_cents=f"{await account.balance_cents():f}",
        owners=await account.owners() if Scope.ADMIN in server.scopes else [],
    )


@admin_operation("admin_costs", "GET /admin/costs", Scope.READ, query=TaskIds)
async def show_costs(server: RunningServer, query: TaskIds) -> Json:
    """Returns what tasks have cost, in US cents."""
    records = [await server.stores.tasks.get(each) for each in query.task_id]
    return Json(costs={each.id: str(each.cost_cents) for each in records if each is not None})


@admin_operation("admin_credits", "POST /admin/credits", Scope.ADMIN, body=Credit, returns=Balance)
async def add_credits(server: RunningServer, credit: Credit) -> Balance:
    """Adds credit to the account that pays for all keys."""
    account = server.stores.of(DEFAULT_OWNER).account
    await account.add(credit.cents)
    return Balance(await account.balance_cents())


@admin_operation("admin_faults", "GET /admin/faults", Scope.ADMIN)
async def show_faults(server: RunningServer) -> Json:
    """Lists the fault rules, and how often each fired."""
    faults = server.faults
    return Json(faults=[fault_as_json(each) for each in faults.faults], fired=faults.fired)


@admin_operation("admin_set_faults", "PUT /admin/faults", Scope.ADMIN, body=FaultRules)
async def replace_faults(server: RunningServer, rules: FaultRules) -> Json:
    """Replaces the fault rules."""
    faults = faults_from_json({"faults": rules.faults})
    server.faults.set_faults(faults, server.deployment.require_alone)
    return await show_faults(server)
