"""How the tasks of the demo go where nothing can read pages: as scenarios, with the same shape."""

from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep

_TITLE = "Tern & Tide Bicycles"
_SERVICE, _BICYCLES = ("Service plans", "pricing.html"), ("Bicycles", "products.html")


def played_demo(site_url: str) -> ScriptedExecutor:
    """The executor that plays what the reader would find on the example site."""
    opened = ScriptedStep(f"played: open {site_url}", url=site_url, text=_TITLE)
    answered = ScriptedStep("Compose the answer", url=site_url, text=_TITLE)
    links = [{"text": text, "url": f"{site_url}{name}"} for text, name in (_SERVICE, _BICYCLES)]
    titles = "\n".join(f"{each['text']} | {_TITLE} ({each['url']})" for each in links)
    both = [ScriptedStep(f"played: open {each['url']}", url=each["url"]) for each in links]
    refused = f"played: {site_url} is outside the allowed domains of this task"
    return ScriptedExecutor(
        {
            "tell me its title": Scenario([opened, answered], output=_TITLE),
            "extract its title": Scenario(
                [opened, answered],
                output={"title": _TITLE, "description": "A harbour workshop.", "links": links},
            ),
            "tell me their titles": Scenario([*both, answered], output=titles),
            "list its links": Scenario([], outcome="failed", reason=refused),
            "click the link": Scenario(
                [opened, both[0], answered], output=f"{_SERVICE[0]} | {_TITLE}"
            ),
        }
    )
