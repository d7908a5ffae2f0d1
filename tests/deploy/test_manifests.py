"""What deploy/ starts exists: options, extras, probes and users; no image is built or run."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from browser_use_async.cli.program import parse

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ("compose.yaml", "compose.fleet.yaml")
KUBERNETES = ("api.yaml", "worker.yaml")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
DRAIN_SECONDS = 600


def _documents(name: str) -> list[Any]:
    return [*yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())]


def _kind(name: str, kind: str) -> Any:
    (found,) = (each for each in _documents(name) if each["kind"] == kind)
    return found


def _services(name: str) -> Mapping[str, Any]:
    services: Mapping[str, Any] = yaml.safe_load((DEPLOY / name).read_text())["services"]
    return services


def _commands() -> Iterator[Any]:
    for name in COMPOSE:
        for service, settings in _services(name).items():
            if settings["image"] == "browser-use-async":
                yield pytest.param(settings["command"], id=f"{name}-{service}")
    for name in KUBERNETES:
        (container,) = _pod(name)["containers"]
        yield pytest.param(container["args"], id=name)


def _pod(name: str) -> Any:
    return _kind(name, "Deployment")["spec"]["template"]["spec"]


def _entry_point() -> list[str]:
    found = re.search(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    words: list[str] = json.loads(found[1])
    return words[1:]


def _words(command: list[str]) -> list[str]:
    """What the command line gets, with values for the variables of compose."""
    return [re.sub(r"\$\{\w+:\?[^}]*\}", "tasks.example", word) for word in command]


@pytest.mark.parametrize("command", [*_commands()])
def test_servers_are_started_with_options_that_exist(command: list[str]):
    """Each command parses, is reachable from other machines and has its key from a variable."""
    words = _words([*_entry_point(), *command])
    options, _ = parse(words)

    assert options.allow_any_host
    assert options.behind_proxy
    assert options.public_url == "https://tasks.example"
    assert options.api_key_env == "BROWSER_USE_API_KEY"
    assert "@" not in options.database or ":" not in options.database.partition("//")[2]


def test_the_image_runs_as_a_user_without_rights():
    """By number, and with extras that the project has."""
    extras = re.search(r"\"\.\[([\w,-]+)\]\"", DOCKERFILE)[1].split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert re.search(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)[1] == "10001"
    assert set(extras) <= project["optional-dependencies"].keys()
    assert "/healthz" in DOCKERFILE[DOCKERFILE.index("HEALTHCHECK") :]
    for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.fullmatch(r"\S+:\d[\w.-]+", image)


def test_the_image_gets_the_files_that_its_build_needs():
    """Everything else, such as a database beside the sources, stays outside."""
    first, *kept = (DEPLOY / "Dockerfile.dockerignore").read_text().split()

    assert first == "*"
    assert all((ROOT / name.removeprefix("!")).exists() for name in kept)


@pytest.mark.parametrize("name", COMPOSE)
def test_services_of_compose_keep_their_walls(name: str):
    """Read-only, without capabilities, with a profile that exists, and no secret in the file."""
    for settings in _services(name).values():
        for variable, value in settings.get("environment", {}).items():
            if "KEY" in variable or "PASSWORD" in variable:
                assert value.startswith("${")
        if settings["image"] != "browser-use-async":
            assert re.search(r":\d", settings["image"])
            continue
        assert settings["read_only"]
        assert settings["cap_drop"] == ["ALL"]
        (profile,) = (each for each in settings["security_opt"] if each.startswith("seccomp="))
        rules = json.loads((DEPLOY / profile.partition("=")[2]).read_text())
        refused = {each for rule in rules["syscalls"] for each in rule["names"]}
        assert {"mount", "bpf", "kexec_load"} <= refused
        assert not {"clone", "clone3", "unshare", "chroot"} & refused  # of Chromium's sandbox


def test_the_fleet_of_compose_has_two_of_each():
    """And a worker has the time that its tasks need when it is to end."""
    services = _services("compose.fleet.yaml")

    assert services["api"]["deploy"]["replicas"] == 2
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["worker"]["stop_grace_period"] == "11m"
    assert services["proxy"]["environment"]["UPSTREAM"] == "api"


@pytest.mark.parametrize("name", KUBERNETES)
def test_pods_are_probed_and_have_no_rights(name: str):
    """Ready by /healthz, alive by the port: a database that is away must not end tasks."""
    pod = _pod(name)
    (container,) = pod["containers"]
    ports = {each["name"] for each in container["ports"]}
    budget = _kind(name, "PodDisruptionBudget")["spec"]
    labels = _kind(name, "Deployment")["spec"]["template"]["metadata"]["labels"]

    for probe in ("readinessProbe", "startupProbe"):
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["httpHeaders"][0]["value"]) == ("/healthz", "localhost")
        assert asked["port"] in ports
    assert container["livenessProbe"]["tcpSocket"]["port"] in ports
    assert pod["securityContext"]["runAsNonRoot"]
    assert str(pod["securityContext"]["runAsUser"]) in DOCKERFILE
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    mounts = {each["name"] for each in container["volumeMounts"]}
    assert mounts == {each["name"] for each in pod["volumes"]}


def test_workers_have_time_to_drain_and_grow_with_the_queue():
    """The autoscaler's target exists, and a worker has as many browsers as it counts with."""
    deployment = _kind("worker.yaml", "Deployment")
    scaled = _kind("autoscaling.yaml", "ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    (container,) = _pod("worker.yaml")["containers"]

    assert _pod("worker.yaml")["terminationGracePeriodSeconds"] > DRAIN_SECONDS
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert f"--max-browsers={trigger['metadata']['threshold']}" in container["args"]
    assert "browser_use_tasks_queued" in trigger["metadata"]["query"]


def test_the_service_leads_to_the_api():
    """And the ingress to the service."""
    service, ingress = _kind("api.yaml", "Service"), _kind("api.yaml", "Ingress")
    labels = _kind("api.yaml", "Deployment")["spec"]["template"]["metadata"]["labels"]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]

    assert service["spec"]["selector"].items() <= labels.items()
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]


def test_monitoring_finds_the_pods():
    """By their labels, at the path of the metrics."""
    monitor = _kind("autoscaling.yaml", "PodMonitor")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    (container,) = _pod("worker.yaml")["containers"]

    assert endpoint["path"] == "/metrics"
    assert endpoint["port"] == container["ports"][0]["name"]
    assert monitor["selector"]["matchLabels"]["app"] == "browser-use"


def test_workers_tell_the_other_servers_where_they_are():
    """Live pages are opened at the servers for the API, and the browsers are elsewhere."""
    (container,) = _pod("worker.yaml")["containers"]
    command = _services("compose.fleet.yaml")["worker"]["command"]

    assert f"--node-url=http://$({container['env'][0]['name']}):8765" in container["args"]
    assert "--node-url=http://{hostname}:8765" in command
