"""The traceback of an error of the package as IPython shows it: where the program called it."""

import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent
_OTHERS = (str(_PACKAGE), sysconfig.get_path("stdlib"))
_FRAMES = 3
_MESSAGE_LINES = 2
_RED, _DEFAULT = "\x1b[31m", "\x1b[39m"


def short_traceback(error: BaseException) -> list[str]:
    """At most ten lines: the frames of the program, and what the error says."""
    shell: Any = ipython_shell()
    if shell is not None and shell.InteractiveTB.mode != "Context":  # as after `%tb Verbose`
        whole = shell.InteractiveTB.structured_traceback
        lines: list[str] = whole(type(error), error, error.__traceback__)
        return lines
    name = f"{_RED}{type(error).__name__}{_DEFAULT}"
    lines = [f"{name}  Traceback (most recent call last; `%tb Verbose` shows all of it)"]
    frames = [each for each in traceback.extract_tb(error.__traceback__) if _is_own(each.filename)]
    for frame in frames[-_FRAMES:]:
        lines += [f"  {_place(shell, frame)}", f"    {frame.line or ''}"]
    said = str(error).splitlines() or [""]
    said = [*said[:_MESSAGE_LINES], *([" …"] if len(said) > _MESSAGE_LINES else [])]
    lines += [f"{name}: {said[0]}", *said[1:]]
    return lines


def ipython_shell() -> Any:
    """The shell of IPython that runs this program, or None."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _is_own(file_name: str) -> bool:
    """Whether a frame is the program's, and not of the package or of a library."""
    return not file_name.startswith(_OTHERS) and "site-packages" not in file_name


def _place(shell: Any, frame: traceback.FrameSummary) -> str:
    cell = None if shell is None else shell.compile.format_code_name(frame.filename)
    place = f"File {frame.filename}" if cell is None else " ".join(cell)
    inside = "" if frame.name == "<module>" else f", in {frame.name}"
    return f"{place}, line {frame.lineno}{inside}"
