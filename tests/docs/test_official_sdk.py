"""The page for programs that use the official SDK names existing parts of this package."""

import inspect
import re
from pathlib import Path
from typing import Any

from browser_use_async import BrowserUseSession, RunTaskRequest, Task, webhooks

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text("utf-8")
NEW = "\n".join(
    re.findall(r"\|([^|\n]*)\|$", PAGE.partition("## What has no equivalent")[0], re.MULTILINE)
)


async def test_every_new_name_exists():
    """Methods of sessions and handles, names of `webhooks`, and arguments."""
    async with BrowserUseSession("key", base_url="http://127.0.0.1:9/api/v1") as session:
        owners: dict[str, Any] = {
            "session": session,
            "handle": session.handle("a-task"),
            "webhooks": webhooks,
            "task": Task,
        }
        names = re.findall(r"\b(session|handle|webhooks|task)((?:\.\w+)+)", NEW)
        for owner, path in names:
            found = owners[owner]
            for name in path.split(".")[1:]:
                found = getattr(found, name)
        arguments = inspect.signature(BrowserUseSession.submit).parameters
        fields = inspect.signature(RunTaskRequest).parameters

    assert len(names) > 25
    for name in re.findall(r"`(\w+)(?:=\w*)?`", NEW):
        assert name in {*arguments, *fields, "timeout"}, name
