"""Profiles of the service for profiles of this server: each has the id of ours in its name."""

import asyncio

from browser_use_async.server.executors.remote.client import CloudClient, RefusedError

_LONGEST_NAME = 100


class RemoteProfiles:
    """Finds the service's profile for a profile of this server, and makes it at its first use."""

    def __init__(self, client: CloudClient) -> None:
        self._client = client
        self._ids: dict[str, str] = {}
        # One at a time: two tasks that begin together would make two profiles.
        self._lock = asyncio.Lock()

    async def id_of(self, profile_id: str, name: str) -> str:
        """The id of the service's profile.

        Raises:
            CloudError: It can be neither found nor made.
        """
        async with self._lock:
            if profile_id not in self._ids:
                found = await self._find(profile_id)
                self._ids[profile_id] = found or await self._create(profile_id, name)
            return self._ids[profile_id]

    async def rename(self, profile_id: str, name: str) -> None:
        """Rename the service's profile, if there is one; its first use makes it by its name.

        Raises:
            CloudError: It is not renamed.
        """
        async with self._lock:
            found = await self._known(profile_id)
            if found is not None:
                body = {"name": _remote_name(profile_id, name)}
                await self._change("PATCH", profile_id, found, body)

    async def delete(self, profile_id: str) -> None:
        """Delete the service's profile, if there is one.

        Raises:
            CloudError: It is not deleted.
        """
        async with self._lock:
            found = await self._known(profile_id)
            if found is not None:
                await self._change("DELETE", profile_id, found)
                self._ids.pop(profile_id, None)

    async def _known(self, profile_id: str) -> str | None:
        return self._ids.get(profile_id) or await self._find(profile_id)

    async def _change(
        self, method: str, profile_id: str, remote_id: str, body: dict[str, str] | None = None
    ) -> None:
        try:
            await self._client.call(method, f"/profiles/{remote_id}", body)
        except RefusedError as error:
            if error.status != 404:
                raise
            self._ids.pop(profile_id, None)  # somebody deleted it there: the next use makes another

    async def _find(self, profile_id: str) -> str | None:
        page = await self._client.call("GET", "/profiles", query={"query": profile_id})
        for each in page["items"]:
            if profile_id in (each.get("name") or ""):
                return str(each["id"])
        return None

    async def _create(self, profile_id: str, name: str) -> str:
        body = {"name": _remote_name(profile_id, name)}
        return str((await self._client.call("POST", "/profiles", body))["id"])


def _remote_name(profile_id: str, name: str) -> str:
    room = _LONGEST_NAME - len(profile_id) - 1
    return f"{name[:room]} {profile_id}".strip()
