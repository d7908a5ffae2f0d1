"""Notes what an agent does, and on which page, for a script of it."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from browser_use_async.server.executors.agent.worker.channel import Channel, Message

_FILLING = frozenset({"input", "select_dropdown", "upload_file"})


class ActingTools(Protocol):
    """What carries out the actions of an agent."""

    act: Callable[..., Awaitable[Any]]


class ActionNotes:
    """Reports each action to the server: its element, the page before it, and its result."""

    def __init__(self, channel: Channel, describe: str) -> None:
        self._channel = channel
        self._describe = describe  # the script that describes elements and pages

    def watch(self, tools: ActingTools) -> None:
        """Note all that is done with these tools."""
        act = tools.act

        async def noted(action: Any, browser_session: Any, **options: Any) -> Any:
            message = await self._note(action, browser_session)
            result = await act(action=action, browser_session=browser_session, **options)
            if result.error:
                message["error"] = str(result.error)[:500]
            self._channel.send(message)
            return result

        tools.act = noted

    async def _note(self, action: Any, browser: Any) -> Message:
        given = action.model_dump(exclude_unset=True)
        name = next((name for name, params in given.items() if params is not None), "")
        message: Message = {
            "kind": "noted",
            "action": name,
            "params": given.get(name) or {},
            "at": time.monotonic(),
        }
        try:
            session = await browser.get_or_create_cdp_session(focus=False)
            seen = await session.cdp_client.send.Runtime.evaluate(
                {"expression": f"({self._describe}).snapshot()", "returnByValue": True},
                session_id=session.session_id,
            )
            message["page"] = seen["result"].get("value")
            index = action.get_index()
            node = None if index is None else await browser.get_element_by_index(index)
            if node is not None:
                fills = name in _FILLING
                message["element"] = await self._element(browser, node, fills=fills)
        except Exception as error:  # noqa: BLE001 - a note that fails must not fail the action
            message["unnoted"] = f"{type(error).__name__}: {error}"[:500]
        return message

    async def _element(self, browser: Any, node: Any, *, fills: bool) -> Any:
        session = await browser.cdp_client_for_node(node)
        found = await session.cdp_client.send.DOM.resolveNode(
            {"backendNodeId": node.backend_node_id}, session_id=session.session_id
        )
        meant = "field" if fills else "owner"
        function = (
            f"function () {{ const page = ({self._describe}); "
            f"return page.describe(page.{meant}(this)); }}"
        )
        said = await session.cdp_client.send.Runtime.callFunctionOn(
            {
                "objectId": found["object"]["objectId"],
                "functionDeclaration": function,
                "returnByValue": True,
            },
            session_id=session.session_id,
        )
        return said["result"].get("value")
