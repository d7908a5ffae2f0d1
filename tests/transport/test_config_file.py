"""The configuration file: what a session reads from it, and what is refused."""

import os
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.config_file import ConfigFile, config_path
from browser_use_async.transport.config import DEFAULT_BASE_URL, Configuration
from browser_use_async.types.secrets import Secret
from tests.support.hygiene import KEY, raises
from tests.support.permissions import as_ordinary_user
from tests.support.wire import answering, response

pytestmark = pytest.mark.canaries_by_design("files")  # this is the file for the key

SAVED = "https://saved.example.com/api/v1"
BOTH = f'base_url = "{SAVED}/"\napi_key = "{KEY}"\n'


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    """The path of the file; no variable has a key or an address."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("API_KEY", "BASE_URL", "TIMEOUT"):
        monkeypatch.delenv(f"BROWSER_USE_{name}", raising=False)
    folder = tmp_path / "browser-use-async"
    folder.mkdir(mode=0o700)
    return folder / "config.toml"


def _write(config_file: Path, content: str | bytes, mode: int = 0o600) -> None:
    config_file.write_bytes(content if isinstance(content, bytes) else content.encode())
    config_file.chmod(mode)


def _resolve(key: str | None = None, base_url: str | None = None) -> Configuration:
    return Configuration.resolve(Secret.hide(key), base_url, None, allow_insecure_http=False)


def _values(found: Configuration) -> tuple[str | None, str]:
    return found.api_key and found.api_key.reveal(), found.base_url


async def test_a_session_without_arguments(config_file, serve):
    """It uses the saved address with the saved key."""
    server = await serve(answering(response(200, '"running"')))
    _write(config_file, f'base_url = "{server.url}"\napi_key = "{KEY}"\n')

    async with BrowserUseSession() as session:
        await session.tasks.get_status("t-1")

    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_arguments_precede_the_environment_and_that_the_file(config_file, monkeypatch):
    """Value by value, and each knows its source."""
    nothing = _resolve()
    _write(config_file, BOTH)
    saved = _resolve()
    monkeypatch.setenv("BROWSER_USE_API_KEY", "of-the-environment")
    mixed = _resolve()
    monkeypatch.setenv("BROWSER_USE_BASE_URL", "https://variable.example.com/api/v1")
    variables = _resolve()
    given = _resolve("of-the-argument", "https://argument.example.com/api/v1")

    assert _values(nothing) == (None, DEFAULT_BASE_URL)
    assert _values(saved) == (KEY, SAVED)
    assert _values(mixed) == ("of-the-environment", SAVED)
    assert _values(variables) == ("of-the-environment", "https://variable.example.com/api/v1")
    assert _values(given) == ("of-the-argument", "https://argument.example.com/api/v1")
    assert nothing.places == {}
    assert saved.places == {
        "api_key": f"api_key in {config_file}",
        "base_url": f"base_url in {config_file}",
    }
    assert mixed.places == {
        "api_key": "BROWSER_USE_API_KEY",
        "base_url": f"base_url in {config_file}",
    }
    assert given.places == {"api_key": "api_key", "base_url": "base_url"}


async def test_the_key_of_one_server_goes_to_no_other(config_file, serve):
    """Another address gets the saved key only if it is equal to the saved one."""
    server = await serve(answering(response(200, '"running"')))
    _write(config_file, BOTH)
    other = BrowserUseSession(base_url=server.url)
    with raises(errors.ConfigurationError) as refused:
        await other.tasks.get_status("t-1")
    await other.aclose()

    assert not server.connections
    assert f"that in {config_file} is for {SAVED}/, not for {server.url}" in str(refused.value)
    assert _values(_resolve(base_url=f"{SAVED}/")) == (KEY, SAVED)


def test_a_file_with_one_setting(config_file):
    """A key without an address is sent to the session's address; an address needs no key."""
    _write(config_file, f'\ufeff# mine\r\napi_key = "{KEY}"\r\n')
    key_alone = _resolve(base_url=SAVED)
    _write(config_file, f"base_url = '{SAVED}'")
    address_alone = _resolve()
    _write(config_file, "")

    assert _values(key_alone) == (KEY, SAVED)
    assert _values(address_alone) == (None, SAVED)
    assert _values(_resolve()) == (None, DEFAULT_BASE_URL)


# The content, and the error about it.
WRONG = {
    "an unknown name": (f'{BOTH}apikey = "x"', "no setting 'apikey', only base_url and api_key"),
    "a table": ("[work]", "there is no setting 'work'"),
    "a number": ("api_key = 4711", "api_key must be a text in quotation marks"),
    "no quotation marks": (f"api_key = {KEY}", "line 1, column 11"),
    "only the key": (KEY, "a line looks like base_url = "),
    "another encoding": (BOTH.encode("utf-16"), "remove it, and `browser-use-async login` writes"),
    "an empty key": ('api_key = ""', "is empty"),
    "a key with a blank": (f'api_key = "{KEY} "', "has spaces"),
    "a key in more marks": (f"api_key = '\"{KEY}\"'", "has quotation marks around it"),
    "an address without a scheme": ('base_url = "a.example/api/v1"', "no http:// or https://"),
    "plain http": ('base_url = "http://a.example/api/v1"', "unencrypted"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_one_line(config_file, kind):
    """It names the file, says what to do, and shows nothing of the key."""
    _write(config_file, WRONG[kind][0])
    with raises(errors.ConfigurationError) as refused:
        BrowserUseSession()

    message = str(refused.value)
    assert str(config_file) in message
    assert WRONG[kind][1] in message
    assert "\n" not in message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_what_others_can_read_or_write(config_file, mode):
    """It is refused, with the command that corrects it."""
    _write(config_file, BOTH, mode)
    with raises(errors.ConfigurationError) as refused:
        BrowserUseSession()

    assert f"(mode {mode:o}): chmod 600 {config_file}" in str(refused.value)


@pytest.mark.parametrize("kind", ["an unknown name", "only the key", "plain http"])
def test_what_is_not_needed_is_not_read(config_file, kind):
    """A session with a key and an address of its own does not read the file."""
    _write(config_file, WRONG[kind][0])

    assert _resolve("another", SAVED).base_url == SAVED


@pytest.mark.parametrize("kind", ["folder", "pipe", "forbidden"])
def test_what_cannot_be_read(config_file, kind):
    """The error is one line, too, and a pipe causes no wait."""
    if kind == "folder":
        config_file.mkdir()
    elif kind == "pipe":
        os.mkfifo(config_file)
    else:
        _write(config_file, BOTH, 0)
    with as_ordinary_user(), raises(errors.ConfigurationError) as refused:
        _resolve()

    reason = "cannot be read (Permission denied)" if kind == "forbidden" else "is no file"
    assert reason in str(refused.value)
    assert "`browser-use-async login` writes a new one" in str(refused.value)


def test_a_file_that_is_too_large(config_file):
    """It is not read completely."""
    _write(config_file, BOTH + "#" * 65536)
    with raises(errors.ConfigurationError) as refused:
        _resolve()

    assert "has more than 64 KB" in str(refused.value)


def test_a_file_that_is_nested_too_deeply(config_file):
    """It is refused in one sentence, without a traceback of the reader of TOML."""
    _write(config_file, "api_key = " + "[" * 30_000)
    with raises(errors.ConfigurationError) as refused:
        _resolve()

    assert "nested too deeply: remove it, and `browser-use-async login`" in str(refused.value)


def test_folders_that_are_made_are_closed_to_others(tmp_path, monkeypatch):
    """Whatever the umask says: the folder of all settings, too."""
    folder = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    config_file = config_path()
    assert config_file is not None
    before = os.umask(0)
    try:
        ConfigFile(config_file, SAVED, Secret.hide(KEY)).write()
    finally:
        os.umask(before)

    assert [each.stat().st_mode & 0o777 for each in (folder, config_file.parent, config_file)] == [
        *(0o700, 0o700),
        0o600,
    ]


def test_a_folder_of_another_user(config_file):
    """As with the home of another user in HOME: the file is ignored."""
    _write(config_file, BOTH)
    config_file.parent.chmod(0)
    try:
        with as_ordinary_user():
            assert _values(_resolve()) == (None, DEFAULT_BASE_URL)
    finally:
        config_file.parent.chmod(0o700)


def test_the_path_of_the_file(monkeypatch, tmp_path):
    """XDG_CONFIG_HOME if that is an absolute path, else `.config` in the home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    below = Path("browser-use-async") / "config.toml"
    for text, expected in ((str(tmp_path / "x"), tmp_path / "x"), ("x", None), ("", None)):
        monkeypatch.setenv("XDG_CONFIG_HOME", text)
        assert config_path() == (expected or tmp_path / ".config") / below
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config_path() == tmp_path / ".config" / below


def test_written_and_read_again(monkeypatch, tmp_path):
    """It is readable for its user only, in new and old folders, whatever the umask is."""
    folder = tmp_path / "a" / "b" / "browser-use-async"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.parent))
    folder.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        ConfigFile(folder / "config.toml", SAVED, Secret('a"\\key')).write()
        ConfigFile(folder / "config.toml", SAVED, Secret('another"\\key')).write()
    finally:
        os.umask(before)

    assert _values(_resolve()) == ('another"\\key', SAVED)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in folder.iterdir()] == ["config.toml"]
    assert (folder / "config.toml").stat().st_mode & 0o777 == 0o600
