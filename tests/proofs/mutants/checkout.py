"""A copy of the tree in which one file at a time is changed."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.proofs.mutants.mutant import Mutant
from tests.proofs.mutants.mutation import MisfitError, mutated

__all__ = ["ROOT", "Checkout", "UnjudgeableError"]

ROOT = Path(__file__).resolve().parents[3]
_FOLDERS = ("browser_use_async", "tests", "examples", "docs", "benchmarks", "scripts")
_FILES = (
    "pyproject.toml",
    "pytest_browser_use_async.py",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
)


class UnjudgeableError(Exception):
    """The tests say nothing about a mutant."""


class Checkout:
    """A copy of the tree, which serves many mutants one after the other.

    Args:
        folder: Where the copy is, or is made if nothing is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.exists():
            _copy_tree(folder)

    @contextlib.contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Remove the defence inside the block."""
        path = self.folder / "browser_use_async" / mutant.file
        original = path.read_text("utf-8")
        try:
            _replace(path, mutated(original, mutant))
        except MisfitError as error:
            raise UnjudgeableError(str(error)) from None
        try:
            yield
        finally:
            _replace(path, original)


def _replace(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    # Python compares lengths and whole seconds: the bytecode of another mutant could pass for this.
    for bytecode in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        bytecode.unlink()


def _copy_tree(folder: Path) -> None:
    for name in filter(lambda name: (ROOT / name).exists(), _FOLDERS):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)
