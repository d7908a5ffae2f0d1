"""Asks the advisory service of PyPI about every package that the two locks name.

Exits with 1 when one has a known vulnerability, and with `--strict` also when nothing is known of
one. A package that could not be checked counts as unknown, and not as harmless.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FILES = (Path("constraints.txt"), Path("deploy", "agent.txt"))
_PIN = re.compile(r"^([\w.-]+)==([^ ;\\\n]+)", re.MULTILINE)


def main(*, is_strict: bool) -> int:
    """Check all packages, print the findings, and return the exit code."""
    pins = {pin for file in FILES for pin in _PIN.findall(file.read_text(encoding="utf-8"))}
    rows: list[dict[str, Any]] = []
    while pins:
        # A call accepts one version of each package, and some have another on older Pythons.
        versions = dict(sorted(pins))
        pins -= set(versions.items())
        rows += _ask(versions)
    vulnerable = [each for each in rows if each.get("vulns")]
    unknown = [each["skip_reason"] for each in rows if "skip_reason" in each]
    for each in vulnerable:
        for vulnerability in each["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
            print(f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in {fixed}")
    audited = len(rows) - len(unknown)
    print(f"{audited} of {len(rows)} packages audited, {len(vulnerable)} with vulnerabilities")
    if unknown:
        print(f"{len(unknown)} NOT audited, the first because: {unknown[0]}")
    return int(bool(vulnerable) or (is_strict and bool(unknown)))


def _ask(versions: dict[str, str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "pins.txt")
        listed.write_text("\n".join(f"{name}=={version}" for name, version in versions.items()))
        options = "--no-deps --disable-pip --progress-spinner off --format json --requirement"
        command = [sys.executable, "-m", "pip_audit", *options.split(), str(listed)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if not answer.stdout:  # the service was not reached, for example
        reason = answer.stderr.strip().splitlines()[-1]
        return [{"name": name, "skip_reason": reason} for name in versions]
    rows: list[dict[str, Any]] = json.loads(answer.stdout)["dependencies"]
    return rows


if __name__ == "__main__":
    sys.exit(main(is_strict="--strict" in sys.argv))
