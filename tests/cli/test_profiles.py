import pytest

from tests.support.wire import bound_socket

from .running import environment, run, run_on_terminal

NEW = ("Shop", "--description", "for\x1b[31m the shop", "--no-persist", "--proxy-country", "DE")


@pytest.mark.long
async def test_the_life_of_a_profile(server):
    """It is created, shown, changed and deleted, and each step prints one JSON value."""
    env = environment(server)
    created = await run("profiles", "create", *NEW, "--viewport-width", "800", env=env)
    profile_id = created.json["profile_id"]
    updated = await run("profiles", "update", profile_id, "--name", "Till", "--persist", env=env)
    shown = await run("profiles", "show", profile_id, env=env)
    deleted = await run("profiles", "delete", profile_id, env=env)
    gone = await run("profiles", "show", profile_id, env=env)

    assert [each.code for each in (created, updated, shown, deleted, gone)] == [0, 0, 0, 0, 3]
    assert created.json == {
        "profile_id": profile_id,
        "profile_name": "Shop",
        "description": "for\x1b[31m the shop",
        "persist": False,
        "ad_blocker": True,
        "proxy": True,
        "proxy_country_code": "de",
        "browser_viewport_width": 800,
        "browser_viewport_height": 960,
    }
    assert shown.json == updated.json
    assert shown.json == {**created.json, "profile_name": "Till", "persist": True}
    assert deleted.json == {"id": profile_id, "deleted": True}
    assert gone.stdout == ""


@pytest.mark.torture
async def test_list(server):
    """In a pipe each profile is one line of JSON, on a terminal a row without controls."""
    env = environment(server)
    for number in range(11):
        await run("profiles", "create", f"Shop {number}", *NEW[1:], env=env)
    listed = await run("profiles", "list", env=env)
    written = await run_on_terminal("profiles", "list", "--plain", env=env, columns=90)
    lines = written.splitlines()

    assert {row["profile_name"] for row in listed.json_lines} >= {f"Shop {n}" for n in range(11)}
    assert lines[0].split() == ["PROFILE", "ID", "PROFILE", "NAME", "PROXY", "DESCRIPTION"]
    assert len(lines) == 1 + len(listed.json_lines)
    assert "\x1b" not in written


async def test_local():
    """`--local` shows the default profile of the bundled server."""
    listed = await run("profiles", "list", "--local")

    assert listed.code == 0
    assert len(listed.json_lines) == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "ACTION"),
        (("create", ""), "profile_name"),
        (("create", "Shop", "--viewport-width", "0"), "--viewport-width"),
        (("create", "Shop", "--viewport-width", "wide"), "--viewport-width"),
        (("update", "some-id"), "nothing to change"),
        (("update", "some-id", "--name", ""), "profile_name"),
        (("delete",), "ID"),
    ],
)
async def test_wrong_usage(server, words, named):
    """Wrong arguments are explained with exit code 2, and nothing is sent."""
    result = await run("profiles", *words, env=environment(server))

    assert result.code == 2
    assert named in result.stderr
    assert result.stdout == ""
    assert not server.requests


@pytest.mark.torture
async def test_unknown_id(server):
    """A profile that does not exist is exit code 3, for every action."""
    for words in (("show", "no-id"), ("update", "no-id", "--proxy"), ("delete", "no-id")):
        result = await run("profiles", *words, env=environment(server))

        assert result.code == 3, words
        assert result.stdout == ""


@pytest.mark.torture
async def test_no_server_listens():
    """A server that cannot be reached is exit code 4."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        env = environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("profiles", "list", env=env)

    assert result.code == 4
