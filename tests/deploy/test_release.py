"""The version, the build and the publishing of a release."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from browser_use_async import __version__

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def release():
    """The workflow of releases."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    return yaml.load(text, Loader=yaml.BaseLoader)  # which reads `on` as a word


@pytest.fixture(scope="module")
def targets():
    """The targets of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


def _steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_one_version_everywhere():
    """The changelog begins with the version of the package, and the page of releases names it."""
    (first, *_) = re.findall(r"^## \[(.+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert first == __version__
    assert f"This is version {__version__}," in (ROOT / "docs" / "releases.md").read_text()


def test_every_command_of_a_workflow_exists(targets):
    """The Makefile has each target that a workflow uses; each file that it runs exists."""
    for path in WORKFLOWS:
        steps = _steps(yaml.load(path.read_text(), Loader=yaml.BaseLoader))
        commands = [step["run"] for step in steps if "run" in step]
        made = {name for each in commands for name in re.findall(r"\bmake ([\w-]+)", each)}
        files = {
            name for each in commands for name in re.findall(r"\bscripts/[\w/]+\.(?:py|sh)", each)
        }

        assert made <= targets
        assert all((ROOT / name).exists() for name in files)


def test_every_action_is_named_by_its_commit():
    """A tag can be moved to other code; the release of the commit is in a comment."""
    for path in WORKFLOWS:
        for line in re.findall(r"uses: (.*)", path.read_text()):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_only_the_publishing_job_may_say_who_it_is(release):
    """Trusted publishing: no stored token, one job with the permission, after all others."""
    jobs = release["jobs"]
    writers = {name for name, job in jobs.items() if "write" in str(job.get("permissions"))}
    publish = jobs["publish"]

    assert release["permissions"] == {"contents": "read"}
    assert writers == {"publish"}
    assert set(publish["needs"]) == set(jobs) - {"publish"}
    assert publish["environment"] == "pypi"
    assert "secrets." not in json.dumps(release)


def test_what_is_published_was_built_once_and_is_attested(release):
    """The job publishes the stored build, with attestations of its origin."""
    steps = release["jobs"]["publish"]["steps"]
    used = [step["uses"].partition("@")[0] for step in steps if "uses" in step]
    attested = [step["with"] for step in steps if step.get("uses", "").startswith("actions/attest")]

    assert used[0] == "actions/download-artifact"
    assert used[-1] == "pypa/gh-action-pypi-publish"
    assert steps[-1]["with"] == {"attestations": "true"}
    assert [each.get("sbom-path") for each in attested] == [None, "sbom/sbom.cdx.json"]


def test_what_is_built_meets_the_tools_of_the_build_only(release):
    """One job builds, with tools that are pinned by hash; no other can change its files."""
    jobs = release["jobs"]
    commands = {name: "\n".join(_commands(job)) for name, job in jobs.items()}
    building = {name for name, each in commands.items() if re.search(r"-m build|make dist", each)}

    assert building == {"build"}
    assert "make" not in commands["build"].split()
    assert re.findall(r"environment\.sh (.*)", commands["build"]) == [".venv-build build python"]
    assert "needs" not in jobs["build"]
    assert jobs["publish"]["steps"][2]["env"] == {"SUMS": "${{ needs.build.outputs.sums }}"}
    assert "sha256sum" in commands["publish"]


@pytest.mark.parametrize("job", ["audit", "build", "sbom", "docs", "publish"])
def test_no_job_of_a_release_installs_by_version(release, job):
    """scripts/environment.sh compares each file with its recorded hash."""
    assert "pip install" not in "\n".join(_commands(release["jobs"][job]))


def _commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_each_declared_python_is_tested_before_a_release(release):
    """The workflow tests the Python versions of the package's metadata, and one newer."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [each.rpartition(" ")[2] for each in project["classifiers"] if ":: 3." in each]

    assert release["jobs"]["test"]["strategy"]["matrix"]["python"] == [*declared, "3.14"]
    assert project["requires-python"] == f">={declared[0]}"


def test_the_development_container_has_what_the_gate_installs(targets):
    """The same programs as on a machine that runs the gate, and a command of the Makefile."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    gate = (ROOT / ".ci" / "run").read_text()
    programs = set(re.findall(r"\|\| install_packages (\S+)$", gate, re.MULTILINE))

    assert programs <= set(container["onCreateCommand"].split())
    assert container["postCreateCommand"].removeprefix("make ") in targets
