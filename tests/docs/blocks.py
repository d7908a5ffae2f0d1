"""The code blocks of the README and of `docs/`, with the output that they promise."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

__all__ = ["BLOCKS", "PAGES", "ROOT", "Block", "is_printed"]

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@attrs.frozen
class Block:
    """One fenced block of a page. Its output is in it, behind `#>`."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def printed(self) -> list[str]:
        """The output lines that it promises, in order."""
        return [line for line in map(_printed, self.text.splitlines()) if line is not None]

    @property
    def needs_model(self) -> bool:
        """Whether it says that its task needs a language model."""
        return self.text.startswith("# needs a language model")

    @property
    def needs_browser(self) -> bool:
        """Whether its task is played by a script, which needs a real browser."""
        return "--script " in self.text or "script=" in self.text

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block."""
        lines = self.text.replace("\\\n", "").splitlines()
        return [line.strip() for line in lines if line.strip() and _printed(line) is None]


def _printed(line: str) -> str | None:
    found = re.fullmatch(r"\s*#>(?: (.*))?", line)
    return None if found is None else (found[1] or "")


def is_printed(expected: Sequence[str], output: str) -> bool:
    """Whether an output is the promised one, line by line.

    `…` stands for any text in a line, and for any lines where nothing else is in its line.
    """
    pattern = "".join(_pattern(line.rstrip()) for line in expected)
    text = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
    return re.fullmatch(pattern, text) is not None


def _pattern(line: str) -> str:
    if line == "…":
        return r"(?:.*\n)*?"
    return ".+".join(re.escape(part) for part in line.split("…")) + r"\n"


def _blocks() -> Iterator[Block]:
    for path in PAGES:
        page = path.read_text()
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
            line = page.count("\n", 0, match.start()) + 1
            yield Block(path.name, line, match[1], match[2])


BLOCKS = list(_blocks())
