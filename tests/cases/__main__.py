"""`make cases`: run the tests of all cases and print one table."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.cases.catalogue import CATALOGUE
from tests.mutants.registry import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print every case, its test, its figure, and what makes it fail."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "3", "-m", "case or control"]
        command += ["--case-report", str(report), "tests", *sys.argv[1:]]
        subprocess.run(command, cwd=ROOT, check=False)
        rows: dict[str, dict[str, Any]] = json.loads(report.read_text("utf-8"))
    missing = sum(_print_case(case, rows) for case in CATALOGUE)
    print(f"\n{len(CATALOGUE) - missing} of {len(CATALOGUE)} cases are shown and can fail")
    return 1 if missing else 0


def _print_case(case: str, rows: dict[str, dict[str, Any]]) -> bool:
    """Print a case and tell whether anything is missing."""
    tests = {name: row for name, row in rows.items() if case in row["cases"]}
    controls = [name for name, row in rows.items() if case in row["controls"]]
    mutants = [mutant.name for mutant in MUTANTS if case in mutant.cases]
    passed = [name for name, row in tests.items() if row["outcome"] == "passed"]
    failed = [name for name, row in tests.items() if row["outcome"] == "failed"]
    figures = [row["figure"] for row in tests.values() if row["figure"]]
    is_missing = not passed or bool(failed) or not (mutants or controls)
    print(f"\n{case:<4} {CATALOGUE[case]}{'   INCOMPLETE' if is_missing else ''}")
    for name in _functions(passed):
        print(f"     test     {name}")
    for name in failed:
        print(f"     FAILED   {name}")
    for text in dict.fromkeys(figures or [f"{len(passed)} tests passed"]):
        print(f"     figure   {text}")
    for name in mutants:
        print(f"     mutant   {name}")
    for name in _functions(controls):
        print(f"     control  {name}")
    if not passed:
        print("     no test passed")
    if not mutants and not controls:
        print("     nothing is known that makes it fail")
    return is_missing


def _functions(names: list[str]) -> list[str]:
    """The tests without their parameters, each once."""
    return list(dict.fromkeys(name.partition("[")[0] for name in names))


if __name__ == "__main__":
    sys.exit(main())
