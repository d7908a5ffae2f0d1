"""What the server keeps of one remote task, so that it survives a restart."""

from typing import Any

import attrs

from browser_use_async.server.executors.protocol import Control, RemoteTask


class Memory:
    """One task's remote identity and addresses, each change of which is stored.

    Args:
        remote: What was stored before.
        control: Stores it.
    """

    def __init__(self, remote: RemoteTask, control: Control) -> None:
        self.remote = remote
        self.control = control

    async def keep(self, **news: Any) -> None:
        """Store fields of `RemoteTask`, if they are new."""
        remote = attrs.evolve(self.remote, **news)
        if remote != self.remote:
            self.remote = remote
            await self.control.remember(remote)
