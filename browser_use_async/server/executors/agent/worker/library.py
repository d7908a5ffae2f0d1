"""browser-use as far as it is used here. The import happens in the agent's process only."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from browser_use_async.server.executors.agent.worker.channel import Order


class PageState(Protocol):
    """The page on which a step is taken."""

    url: str
    title: str
    screenshot: str | None
    dom_state: Any


class Decision(Protocol):
    """What the model decided on."""

    next_goal: str | None
    evaluation_previous_goal: str | None


class State(Protocol):
    """Where an agent stands."""

    consecutive_failures: int
    n_steps: int


class History(Protocol):
    """What an agent has done."""

    def is_done(self) -> bool:
        """Whether the agent says that it is done."""
        ...

    def is_successful(self) -> bool | None:
        """Whether it says that it was successful; None before it is done."""
        ...

    def final_result(self) -> str | None:
        """Its answer."""
        ...

    def errors(self) -> list[str | None]:
        """What went wrong at each step."""
        ...


class FileSystem(Protocol):
    """The files that an agent writes."""

    def get_dir(self) -> Path:
        """Where they are."""
        ...


class Agent(Protocol):
    """A model at work in a browser."""

    state: State
    history: History
    file_system: FileSystem

    async def run(
        self, max_steps: int, on_step_start: Callable[["Agent"], Awaitable[None]]
    ) -> History:
        """Work until done, or until there is no step left."""
        ...


class Browser(Protocol):
    """A browser that an agent steers."""

    async def export_storage_state(self) -> dict[str, Any]:
        """Its cookies, among other things."""
        ...

    async def take_screenshot(self) -> bytes:
        """A PNG of the page."""
        ...

    async def get_current_page_url(self) -> str:
        """The address of the page."""
        ...


class Tools(Protocol):
    """What an agent can do."""

    def action(
        self, description: str, **options: Any
    ) -> Callable[[Callable[[Any], Awaitable[Any]]], Any]:
        """Add something, or replace what has the same name."""
        ...


def make_browser(order: Order) -> Browser:
    """Connect with the browser that the server has started."""
    width, height = order["viewport"]
    browser: Browser = import_module("browser_use").Browser(
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
    return browser


def make_tools() -> Tools:
    """What agents can do, before anything is changed."""
    tools: Tools = import_module("browser_use").Tools(display_files_in_done_text=False)
    return tools


def make_agent(
    order: Order,
    browser: Browser,
    tools: Tools,
    on_step: Callable[[PageState, Decision, int], Awaitable[None]],
) -> Agent:
    """An agent that begins when it is run."""
    library = import_module("browser_use")
    model = library.ChatOpenAI(
        model=order["model"],
        base_url=order["base_url"],
        api_key=order["key"],
        frequency_penalty=None,  # refused by endpoints that know no such thing
    )
    agent: Agent = library.Agent(
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
    return agent


async def highlighted(state: PageState) -> bytes | None:
    """The page's PNG with a frame around each element that can be acted on."""
    if state.screenshot is None:
        return None
    elements: Mapping[int, Any] = state.dom_state.selector_map
    draw = import_module("browser_use.browser.python_highlights").create_highlighted_screenshot
    return base64.b64decode(await draw(state.screenshot, elements))
