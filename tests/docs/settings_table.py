"""The tables of docs/command-line.md: `python -m tests.docs.settings_table` writes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.cli.commands.serve import ServeSettings
from browser_use_async.server.setting_kinds import Setting, own_settings
from browser_use_async.server.settings import GROUPS, ServerSettings

__all__ = ["ALL", "PAGE", "page"]

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
ALL = (*GROUPS, ("the command serve alone", ServeSettings))
_START = "<!-- Made by `python -m tests.docs.settings_table`. -->\n"


def _keyword(owner: type, field: "attrs.Attribute[Any]") -> str:
    if owner is ServeSettings:
        return ""
    is_flat = issubclass(ServerSettings, owner)
    return f"`{field.name}`" if is_flat else f"`{owner.__name__}({field.name})`"


def _option(each: Setting) -> str:
    if each.option is None:
        return ""
    return f"`{each.option}`" if each.kind.is_flag else f"`{each.option} {each.kind.metavar}`"


def _default(field: "attrs.Attribute[Any]", each: Setting) -> str:
    text = each.default_text(field) or (str(field.default) if each.kind.is_flag else "")
    return f"`{text}`" if each.variable or (text and not each.otherwise) else text


def _text(each: Setting) -> str:
    more = f". {each.more}" if each.more else ""
    return (f"{each.help}{more}" if more else each.help).replace("|", "\\|")


def _rows() -> Iterator[str]:
    for title, owner in ALL:
        yield f"\n### {title[0].upper()}{title[1:]}\n"
        yield "| keyword | option | unit | default | what it says |"
        yield "|---|---|---|---|---|"
        for field, each in own_settings(owner):
            yield (
                f"| {_keyword(owner, field)} | {_option(each)} | {each.kind.unit} "
                f"| {_default(field, each)} | {_text(each)} |"
            )


def page(text: str) -> str:
    """The page with the table of today."""
    return text.partition(_START)[0] + _START + "\n".join(_rows()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
