"""One task of one agent, from the order to the last word; browser-use is imported here only."""

import asyncio
import base64
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

from browser_use_async.server.executors.agent.worker.channel import (
    Channel,
    MadeFile,
    Message,
    Order,
)

# Objects of browser-use are `Any`, since its types exist only where it is installed.


def _make_browser(order: Order) -> Any:
    """Connect with the browser that the server has started."""
    width, height = order["viewport"]
    return import_module("browser_use").Browser(
        cdp_url=order["browser_url"],
        is_local=True,  # downloads are looked for on this machine
        headless=True,
        keep_alive=True,  # the server ends it
        enable_default_extensions=False,
        captcha_solver=False,
        allowed_domains=order["allowed_domains"],
        viewport={"width": width, "height": height},
        highlight_elements=order["highlight_elements"],
        downloads_path=str(Path(order["folder"], "downloads")),
        storage_state={"cookies": order["cookies"], "origins": []},
    )


def _make_agent(
    order: Order,
    browser: Any,
    tools: Any,
    on_step: Callable[[Any, Any, int], Awaitable[None]],
) -> Any:
    """An agent that begins when it is run."""
    library = import_module("browser_use")
    model = library.ChatOpenAI(
        model=order["model"],
        base_url=order["base_url"],
        api_key=order["key"],
        frequency_penalty=None,  # refused by endpoints that know no such thing
    )
    return library.Agent(
        task=order["task"],
        llm=model,
        browser=browser,
        tools=tools,
        sensitive_data=order["secrets"] or None,
        register_new_step_callback=on_step,
        use_vision=order["sees_pictures"],
        use_judge=False,  # a further question to the model, whose answer changes nothing
        max_failures=3,
        llm_timeout=order["model_seconds"],
        step_timeout=order["model_seconds"] + 120,
        available_file_paths=order["uploads"],
        file_system_path=str(Path(order["folder"], "files")),
        calculate_cost=False,  # asks the network for prices
        generate_gif=False,
        enable_signal_handler=False,
    )


async def _highlighted(state: Any) -> bytes | None:
    """Return the page's PNG with a frame around each interactive element."""
    if state.screenshot is None:
        return None
    elements: Mapping[int, Any] = state.dom_state.selector_map
    draw = import_module("browser_use.browser.python_highlights").create_highlighted_screenshot
    return base64.b64decode(await draw(state.screenshot, elements))


_FENCED = re.compile(r"\s*```(?:json)?\s*\n(?P<inner>.*)\n\s*```\s*", re.DOTALL)
_SHOWN_PROBLEMS = 5
_FILLING = frozenset({"input", "select_dropdown", "upload_file"})

_LONGEST_REASON = 600
_OWN_FILE = "todo.md"  # the agent's own notes


class SchemaRefusedError(Exception):
    """A schema that cannot be followed. Its text is a sentence for a person."""


class AnswerSchema:
    """The schema of one task's answer."""

    def __init__(self, text: str) -> None:
        self.text = text
        validators = import_module("jsonschema.validators")
        try:
            schema = json.loads(text)
            kind = validators.validator_for(schema, validators.Draft202012Validator)
            kind.check_schema(schema)
        except (ValueError, import_module("jsonschema").SchemaError) as error:
            reason = str(error).partition("\n")[0]
            raise SchemaRefusedError(
                f"structured_output_json is no JSON schema: {reason}."
            ) from None
        # A registry of its own: references to other places are not fetched.
        self._validator = kind(schema, registry=import_module("referencing").Registry())

    @property
    def request(self) -> str:
        """The addition to the text of the task."""
        return (
            "\n\nThe `text` of your final `done` must be JSON and nothing else, and follow this "
            f"JSON schema:\n{self.text}"
        )

    def check(self, answer: str) -> tuple[str, str]:
        """Validate an answer; return it as JSON, and a description of its problems."""
        fenced = _FENCED.fullmatch(answer)
        try:
            value = json.loads(fenced["inner"] if fenced else answer)
        except ValueError as error:
            return "", f"it is not JSON ({error})"
        try:
            found = self._validator.iter_errors(value)
            problems = [f"{one.json_path}: {one.message}" for one in found]
        except import_module("referencing.exceptions").Unresolvable as error:
            return "", f"the schema refers to what is not in it ({error})"
        return (json.dumps(value, ensure_ascii=False), "") if not problems else ("", _few(problems))


def _require_schema(tools: Any, schema: AnswerSchema) -> None:
    """Let the agent be done only with an answer that follows the schema."""
    result = import_module("browser_use").ActionResult

    async def done(parameters: Any) -> Any:
        answer, problem = schema.check(parameters.text)
        if problem and parameters.success:
            return result(error=f"The answer does not follow the schema: {problem}. Correct it.")
        return result(
            is_done=True,
            success=parameters.success,
            extracted_content=answer or parameters.text,
            long_term_memory="Task completed.",
        )

    tools.action(
        "Complete the task with an answer in JSON that follows the schema in the task.",
        param_model=import_module("browser_use.tools.views").DoneAction,
    )(done)


def _few(problems: list[str]) -> str:
    more = len(problems) - _SHOWN_PROBLEMS
    shown = "; ".join(problem[:200] for problem in problems[:_SHOWN_PROBLEMS])
    return f"{shown}; and {more} more" if more > 0 else shown


class ActionNotes:
    """Reports each action to the server: its element, the page before it, and its result."""

    def __init__(self, channel: Channel, describe: str) -> None:
        self._channel = channel
        self._describe = describe  # the script that describes elements and pages

    def watch(self, tools: Any) -> None:
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


def carry_out() -> None:
    """Read the order, work, report."""
    channel = Channel.take_over()
    order = channel.read_order()
    asyncio.run(_Work(order, channel).do())


class _Work:
    def __init__(self, order: Order, channel: Channel) -> None:
        self._order = order
        self._channel = channel

    async def do(self) -> None:
        self._channel.listen()
        try:
            last = await self._last_word()
        except SchemaRefusedError as error:
            last = _failed(str(error))
        except (ImportError, PackageNotFoundError) as error:
            last = _failed(f"browser-use cannot be used: {error}")
        except Exception as error:  # noqa: BLE001 - the library may raise anything; the task fails
            last = _failed(f"The agent failed with {type(error).__name__}: {error}")
        self._channel.send(last)
        await asyncio.Event().wait()  # the server ends this process

    async def _last_word(self) -> Message:
        tools: Any = import_module("browser_use").Tools(display_files_in_done_text=False)
        if self._order["schema"] is not None:
            schema = AnswerSchema(self._order["schema"])
            _require_schema(tools, schema)
            self._order["task"] += schema.request
        if self._order["describe"] is not None:
            ActionNotes(self._channel, self._order["describe"]).watch(tools)
        browser = _make_browser(self._order)
        agent = _make_agent(self._order, browser, tools, self._report)
        await agent.run(max_steps=self._order["max_steps"], on_step_start=self._begin)
        if agent.history.is_done() and agent.history.is_successful():
            return await self._finished(agent, browser)
        return await _with_page(_failed(_reason(agent, self._order["max_steps"])), browser)

    async def _begin(self, _: Any) -> None:
        await self._channel.ask_leave()

    async def _report(self, state: Any, decision: Any, _: int) -> None:
        message: Message = {
            "kind": "step",
            "next_goal": decision.next_goal or "",
            "evaluation": decision.evaluation_previous_goal or "",
            "url": state.url,
        }
        if self._order["takes_screenshots"] and (picture := await self._picture(state)):
            message["screenshot"] = picture
        self._channel.send(message)

    async def _picture(self, state: Any) -> str | None:
        if self._order["highlight_elements"] and (drawn := await _highlighted(state)):
            return base64.b64encode(drawn).decode()
        picture: str | None = state.screenshot
        return picture

    async def _finished(self, agent: Any, browser: Any) -> Message:
        return {
            "kind": "finished",
            "text": agent.history.final_result() or "",
            "files": list(_files(Path(self._order["folder"]), agent.file_system.get_dir())),
            "cookies": (await browser.export_storage_state())["cookies"],
        }


def _failed(reason: str) -> Message:
    short = " ".join(reason.split())
    if len(short) > _LONGEST_REASON:
        short = f"{short[:_LONGEST_REASON]}…"
    return {"kind": "failed", "text": short}


def _reason(agent: Any, max_steps: int) -> str:
    history = agent.history
    if history.is_done():
        return f"The agent gave up: {history.final_result() or 'it did not say why'}"
    errors = [error for error in history.errors() if error]
    failures = agent.state.consecutive_failures
    if failures and agent.state.n_steps <= max_steps:
        last = errors[-1] if errors else "it did not say how"
        return f"The agent failed {failures} times in a row, the last time like this: {last}"
    return f"The task was not done within its {max_steps} steps (max_agent_steps)"


async def _with_page(message: Message, browser: Any) -> Message:
    """A failure with the page at hand, as far as there still is one."""
    with contextlib.suppress(Exception):
        message["url"] = await browser.get_current_page_url()
        message["screenshot"] = base64.b64encode(await browser.take_screenshot()).decode()
    return message


def _files(folder: Path, written: Path) -> Iterator[MadeFile]:
    names: set[str] = set()
    for place, is_download in ((written, False), (folder / "downloads", True)):
        for path in sorted(place.glob("*")):
            if path.is_file() and path.name != _OWN_FILE and path.suffix != ".crdownload":
                name = _unused(path.name, names)
                relative = path.resolve().relative_to(folder.resolve())
                yield {"name": name, "path": str(relative), "is_download": is_download}


def _unused(name: str, names: set[str]) -> str:
    """The name, or one like it: a download may be called like a file that the agent wrote."""
    plain, number = Path(name), 1
    while name in names:
        number += 1
        name = f"{plain.stem} ({number}){plain.suffix}"
    names.add(name)
    return name
