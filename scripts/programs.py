"""Programs that tests need besides Python, and what is left out without them.

python scripts/programs.py             names those that are missing
python scripts/programs.py --install   installs them first, where that is possible
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROGRAMS", "Program", "install", "missing"]


@dataclass(frozen=True)
class Program:
    """A program, its Debian package, and what is not tested without it."""

    name: str
    package: str
    untested: str

    @property
    def is_here(self) -> bool:
        """Whether it can be started, or is at Debian's path."""
        return shutil.which(self.name) is not None or Path("/usr/bin", self.name).exists()


PROGRAMS = (
    Program("chromium", "chromium", "real browsers, the pages, tasks of the agent"),
    Program("ffmpeg", "ffmpeg", "recordings of tasks"),
    Program(
        "strace", "strace", "what is on the disk before a request leaves; what the agent opens"
    ),
    Program("pg_ctlcluster", "postgresql", "ledgers in PostgreSQL, and servers that share one"),
    Program("openssl", "openssl", "connections over TLS"),
    Program("certutil", "libnss3-tools", "browsers that trust an authority of the user"),
    Program("docker", "", "building the image in deploy/; its files are read and checked"),
)


def missing() -> list[Program]:
    """The programs that this machine lacks."""
    return [each for each in PROGRAMS if not each.is_here]


def install() -> None:
    """Install the missing ones where this process may: as root, with Debian's packages."""
    packages = [each.package for each in missing() if each.package]
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"== installing {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", *packages]):
        ended = subprocess.run(
            ["apt-get", "--quiet=2", *command],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"apt-get {command[0]} failed, which needs a network: {reason}", flush=True)
            return


if __name__ == "__main__":
    if "--install" in sys.argv:
        install()
    for program in missing():
        print(f"{program.name} is missing. Not tested: {program.untested}.")
