"""What the site takes from the repository and the program, and its index for programs.

The README stands where every reader of a repository looks for it; here it becomes the first page of
the site, so that no text exists twice. The tables of commands and settings come from the program.
"""

import posixpath
import re
import sys
from html import unescape
from pathlib import Path

from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP))

from browser_use_async import __version__  # noqa: E402
from scripts import command_tables  # noqa: E402 - the package need not be installed

ICON = TOP / "browser_use_async" / "server" / "pages" / "assets" / "icon.svg"
FROM_TOP = {
    "README.md": "index.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")
_MADE = {
    "<!-- exit codes -->": command_tables.exit_codes,
    "<!-- commands -->": command_tables.commands,
    "<!-- executors -->": command_tables.executors,
    "<!-- settings -->": command_tables.settings,
    "<!-- faults -->": command_tables.faults,
}
_summaries: dict[str, str] = {}
_lines: list[str] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Show the version."""
    config.copyright = f"Version {__version__}"
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the page and the picture that stand outside of `docs/`."""
    files.append(File.generated(config, "icon.svg", abs_src_path=str(ICON)))
    for source, page in FROM_TOP.items():
        text = (TOP / source).read_text("utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to files of the repository to their pages; name what has none.

    A mark of what is made from the program is replaced by that.
    """
    for mark, made in _MADE.items():
        if mark in markdown:
            markdown = markdown.replace(mark, made())
    here = page.file.src_uri
    folder = "" if here in FROM_TOP.values() else posixpath.dirname(f"docs/{here}")

    def lead(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        path = posixpath.normpath(posixpath.join(folder, target))
        uri = FROM_TOP.get(path, path.removeprefix("docs/"))
        if files.get_file_from_path(uri) is None:
            return text if not (TOP / path).exists() else f"{text} (`{path}`)"
        return f"[{text}]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{anchor})"

    return _LINK.sub(lead, markdown)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Remember the first sentence of each page for the index."""
    paragraph = re.search(r"<p>(.*?)</p>", html, re.DOTALL)
    words = " ".join(re.sub(r"<[^>]+>", "", paragraph[1]).split()) if paragraph else ""
    _summaries[page.file.src_uri] = unescape(re.split(r"(?<=[.:])\s", words, maxsplit=1)[0])
    return html


def on_env(env: Environment, *, config: MkDocsConfig, files: Files) -> Environment:
    """List the pages in the order of the navigation, a line each."""
    pages = sorted(files.documentation_pages(), key=lambda each: _place(config, each.src_uri))
    _lines[:] = [f"# {config.site_name}", "", f"> {config.site_description}", "", "## Pages", ""]
    for each in pages:
        title = each.page.title if each.page else each.src_uri
        _lines.append(f"- [{title}]({each.dest_uri}): {_summaries[each.src_uri]}")
    return env


def on_post_build(*, config: MkDocsConfig) -> None:
    """Write that list as `llms.txt`."""
    Path(config.site_dir, "llms.txt").write_text("\n".join(_lines) + "\n", "utf-8")


def _place(config: MkDocsConfig, uri: str) -> int:
    return str(config.nav).index(f"'{uri}'")
