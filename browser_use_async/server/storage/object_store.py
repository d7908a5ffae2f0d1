"""Object storage for the bytes of files, such as S3, by the package obstore."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.errors import ObjectGoneError, StorageUnavailableError

_EXTRA = "pip install 'browser-use-async[s3]'"
_TRIAL = "trial"


class ObjectStore:
    """A bucket, or the objects with a prefix in it.

    Credentials, region and a custom endpoint come from the environment variables of AWS:
    `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`. What the
    storage refuses raises StorageUnavailableError.

    Raises:
        ConfigurationError: The address is malformed, or the package is missing.
    """

    def __init__(self, url: str) -> None:
        scheme, _, place = url.partition("://")
        if scheme != "s3" or not place.partition("/")[0]:
            raise ConfigurationError(f"files must be s3://bucket/prefix, not {url!r}")
        if find_spec("obstore") is None:
            raise ConfigurationError(f"Files on object storage need the extra `s3`: {_EXTRA}")
        from obstore.store import S3Store  # noqa: PLC0415

        self.url = url
        try:
            self._store = S3Store.from_url(
                url,
                client_options={"allow_http": True, "timeout": "30s"},
                retry_config={"max_retries": 2},
            )
        except Exception as error:
            raise ConfigurationError(f"{url} cannot be used: {_first_line(error)}") from error

    async def check(self) -> None:
        """Write, read and delete a small object.

        Raises:
            ConfigurationError: The storage refuses one of them.
        """
        try:
            await self.put(_TRIAL, b"1")
            await self.get(_TRIAL, range(1))
            await self.delete(_TRIAL)
        except StorageUnavailableError as error:
            raise ConfigurationError(
                f"{error}; check the bucket, its region and the rights to read, write and delete"
            ) from error

    async def put(self, name: str, content: bytes) -> None:
        """Write an object, in place of one with the same name."""
        from obstore import put_async  # noqa: PLC0415

        with _refusals(self.url):
            await put_async(self._store, name, content)

    async def get(self, name: str, wanted: range) -> bytes:
        """Read a range of bytes of an object.

        Raises:
            ObjectGoneError: The storage does not have it.
        """
        from obstore import get_range_async  # noqa: PLC0415

        with _refusals(self.url):
            found = await get_range_async(self._store, name, start=wanted.start, end=wanted.stop)
        return bytes(found)

    async def delete(self, name: str) -> None:
        """Delete an object if it exists."""
        from obstore import delete_async  # noqa: PLC0415

        with _refusals(self.url):
            await delete_async(self._store, name)


@contextmanager
def _refusals(url: str) -> Generator[None]:
    """Convert exceptions of the package to StorageUnavailableError."""
    from obstore.exceptions import BaseError  # noqa: PLC0415

    try:
        yield
    except FileNotFoundError as error:  # also raised if the bucket does not exist
        raise ObjectGoneError(f"{url} has no such object") from error
    except (BaseError, OSError) as error:
        detail = f"the object storage {url} refused: {_first_line(error)}"
        raise StorageUnavailableError(detail) from error


def _first_line(error: BaseException) -> str:
    # The other lines show nested errors.
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
