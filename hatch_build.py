"""The addresses in the package's metadata: those of the repository that builds it."""

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectAddresses(MetadataHookInterface):
    """Names source, documentation, changes and issues, if `PROJECT_URL` says where they are.

    A fork names itself by it, and a build on somebody's machine names nothing.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the addresses to the fields of pyproject.toml."""
        home = os.environ.get("PROJECT_URL", "").rstrip("/")
        if home:
            metadata["urls"] = {
                "Source": home,
                "Documentation": f"{home}/blob/HEAD/docs/tutorial.md",
                "Changelog": f"{home}/blob/HEAD/CHANGELOG.md",
                "Issues": f"{home}/issues",
            }
