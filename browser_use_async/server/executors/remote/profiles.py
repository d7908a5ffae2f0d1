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

    async def delete(self, profile_id: str) -> None:
        """Delete the service's profile, if there is one.

        Raises:
            CloudError: It is not deleted.
        """
        async with self._lock:
            found = self._ids.pop(profile_id, None) or await self._find(profile_id)
            if found is None:
                return
            try:
                await self._client.call("DELETE", f"/profiles/{found}")
            except RefusedError as error:
                if error.status != 404:
                    raise

    async def _find(self, profile_id: str) -> str | None:
        page = await self._client.call("GET", "/profiles", query={"query": profile_id})
        for each in page["items"]:
            if profile_id in (each.get("name") or ""):
                return str(each["id"])
        return None

    async def _create(self, profile_id: str, name: str) -> str:
        room = _LONGEST_NAME - len(profile_id) - 1
        body = {"name": f"{name[:room]} {profile_id}".strip()}
        return str((await self._client.call("POST", "/profiles", body))["id"])
