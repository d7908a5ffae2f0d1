"""The operator's calls, and the data of the server's own page."""

import socket

import aiohttp
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.admin import ADMIN_ROUTES
from tests.server.calling import Caller
from tests.server.test_access import BEHIND, reachable
from tests.server.webhooks.receiver import SECRET, receiving

FOR_THIS_MACHINE = ("/admin/faults", "/admin/webhooks")
FOR_THE_PAGE = ("/admin/costs", "/admin/deliveries")


async def test_what_tasks_have_cost(caller):
    """The start and each step by model, also the step with the reason of a failure."""
    quick = await caller.create(llm_model="gpt-4.1-mini")
    failing = await caller.create(metadata={"scenario": "fails"})
    await caller.reached(quick, "finished")
    await caller.reached(failing, "failed")
    answer = await caller.get(f"{caller.server.url}/admin/costs?task_id={quick}&task_id={failing}")
    balance = (await caller.get("/balance")).json["balance"]

    assert answer.json == {"costs": {quick: "2.50", failing: "6.0"}}
    assert float(balance) == 10_000 - 2.5 - 6


async def test_tasks_that_do_not_exist_cost_nothing(caller):
    """They are left out."""
    for query in ("", "?task_id=x", "?task_id="):
        assert (await caller.get(f"{caller.server.url}/admin/costs{query}")).json == {"costs": {}}


async def test_the_latest_deliveries(http):
    """All of them, or the given number of the latest ones, oldest first."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        async with LocalServer(executor="scripted", webhooks=webhooks) as server:
            caller = Caller(server, http)
            await caller.reached(await caller.create(), "finished")
            await receiver.has(4)
            url = f"{server.url}/admin/deliveries"
            everything = (await caller.get(url)).json
            latest = (await caller.get(f"{url}?latest=2")).json
            refused = [await caller.get(f"{url}?latest={each}") for each in ("0", "-1", "x", "")]

    assert everything["count"] == len(everything["deliveries"]) == latest["count"] == 3
    assert [each["id"] for each in latest["deliveries"]] == [
        each["id"] for each in everything["deliveries"][-2:]
    ]
    assert {answer.status for answer in refused} == {422}


@pytest.mark.parametrize("path", [*FOR_THIS_MACHINE, *FOR_THE_PAGE])
async def test_the_key_is_needed(path, caller):
    """It is needed as for every call of the API."""
    url = caller.server.url + path

    assert (await caller.get(url, key=False)).status == 403
    assert (await caller.get(url, headers={"Authorization": "Bearer wrong"})).status == 401
    assert (await caller.get(url)).status == 200


@pytest.mark.parametrize(
    "header",
    [
        *("Forwarded", "X-Forwarded-For", "x-real-ip", "Via", "X-Forwarded-Proto"),
        *("X-Forwarded-Host", "CF-Connecting-IP", "CF-Ray", "True-Client-IP", "X-Client-IP"),
    ],
)
async def test_clients_behind_a_proxy_are_remote(header, caller):
    """This includes a proxy on this machine; its clients get the server's own page, too."""
    sent = {header: "for=192.0.2.1"}
    for path in FOR_THIS_MACHINE:
        answer = await caller.get(caller.server.url + path, headers=sent)
        assert (answer.status, "this machine" in answer.text) == (403, True)
    credit = await caller.post(
        f"{caller.server.url}/admin/credits", json={"cents": 1}, headers=sent
    )

    assert credit.status == 403
    for path in FOR_THE_PAGE:
        assert (await caller.get(caller.server.url + path, headers=sent)).status == 200


async def test_costs_outlive_a_restart(tmp_path, http):
    """They are kept like the tasks."""
    place = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=place) as server:
        caller = Caller(server, http)
        task_id = await caller.create(llm_model="o3")
        await caller.reached(task_id, "finished")
    async with LocalServer(executor="scripted", database=place) as server:
        caller = Caller(server, http)
        answer = await caller.get(f"{server.url}/admin/costs?task_id={task_id}")

    assert answer.json == {"costs": {task_id: "3"}}


async def test_behind_a_proxy_administration_is_refused(http):
    """A proxy without headers looks like a client on this machine."""
    async with reachable(**BEHIND) as (server, here):
        caller = Caller(server, http)
        answers = [await caller.get(here + path) for path in FOR_THIS_MACHINE]
        shown = [await caller.get(here + path) for path in FOR_THE_PAGE]

    assert [(each.status, "--admin-socket" in each.text) for each in answers] == [(403, True)] * 2
    assert [each.status for each in shown] == [200, 200]


async def test_administration_has_a_listener_of_its_own(short_folder):
    """It needs the key, refuses what a proxy forwards, and answers no other call."""
    path, place = short_folder / "admin", "http://localhost"
    async with (
        reachable(**BEHIND, admin_socket=path) as (server, _),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as http,
    ):
        caller = Caller(server, http)
        shown = await caller.get(place + "/admin/faults")
        without = await caller.get(place + "/admin/faults", key=False)
        passed = await caller.get(place + "/admin/faults", headers={"Via": "1.1 proxy"})
        rebound = await caller.get(place + "/admin/faults", headers={"Host": "evil.example"})
        other = [await caller.get(place + path) for path in ("/", "/api/v1/balance", "/live/x")]
        credit = await caller.post(place + "/admin/credits", json={"cents": 5})

    assert (shown.status, without.status, passed.status, rebound.status) == (200, 403, 403, 403)
    assert [each.status for each in other] == [404] * 3
    assert credit.status == 200


async def test_administration_has_a_socket_of_its_own(short_folder):
    """Only the server's user may open it, and it is deleted with the server."""
    path = short_folder / "admin"
    async with reachable(**BEHIND, admin_socket=path) as (server, _):
        mode = path.stat().st_mode & 0o777
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as http:
            answer = await Caller(server, http).get("http://localhost/admin/faults")
        with pytest.raises(ConfigurationError, match="cannot listen"):
            async with LocalServer(executor="scripted", admin_socket=path):
                pass
        assert path.is_socket()

    assert (mode, answer.status, path.exists()) == (0o600, 200, False)


async def test_a_socket_that_a_killed_server_left(short_folder):
    """It is replaced; a file that is no socket is not."""
    path = short_folder / "admin"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with LocalServer(executor="scripted", admin_socket=path):
        assert path.is_socket()
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="cannot listen"):
        async with LocalServer(executor="scripted", admin_socket=path):
            pass

    assert path.read_text() == "mine"


async def test_administration_is_described(caller):
    """Each route is in an OpenAPI document of its own, with its scope and its body."""
    document = (await caller.get(f"{caller.server.url}/admin/openapi.json", key=False)).json
    operations = {
        each["operationId"]: each for path in document["paths"].values() for each in path.values()
    }
    key = operations["admin_add_key"]["requestBody"]["content"]["application/json"]["schema"]

    assert all(each["description"].endswith(".") for each in operations.values())
    assert operations.keys() == {each.endpoint.name for each in ADMIN_ROUTES}
    assert operations["admin_share"]["x-scope"] == "run read"
    assert "x-scope" not in operations["admin_key"]
    assert (key["required"], min(key["properties"])) == (["name"], "budget_cents")


async def test_a_mistyped_field_is_refused(caller):
    """The nearest name is given; a key with wider scopes by a mistake is not made."""
    body = {"name": "shop", "scope": ["read"]}
    answer = await caller.post(f"{caller.server.url}/admin/keys", json=body)

    assert answer.status == 422
    assert answer.json == {"detail": "scope: there is no such name; did you mean 'scopes'?"}


async def test_no_answer_of_administration_is_kept(caller):
    """Neither by a browser nor by a proxy: one of the answers has the text of a key."""
    answers = [
        await caller.post(f"{caller.server.url}/admin/keys", json={"name": "shop"}),
        await caller.get(f"{caller.server.url}/admin/key"),
    ]

    assert [each.headers["Cache-Control"] for each in answers] == ["no-store"] * 2
