"""The files of deploy/ use existing options, extras, probes and users; no image is built or run."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from errno import ENOSYS
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from browser_use_async.cli.app import parse

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ("compose.yaml", "compose.fleet.yaml")
KUBERNETES = ("api.yaml", "worker.yaml")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
DRAIN_SECONDS = 600
_OTHER_NAMESPACES = 0x0E020000  # mounts, control groups, host names, communication
_NAMESPACES_OF_THE_SANDBOX = 0x70000000  # users, processes, networks


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
    """The arguments of a command, with values for the variables of compose."""
    return [re.sub(r"\$\{\w+:\?[^}]*\}", "tasks.example", word) for word in command]


@pytest.mark.parametrize("command", [*_commands()])
def test_servers_are_started_with_options_that_exist(command):
    """Each command is valid, listens for other machines and reads its key from a variable."""
    words = _words([*_entry_point(), *command])
    options = SimpleNamespace(**parse(words).params)

    assert options.host == "0.0.0.0"
    assert options.trusted_proxy
    assert options.public_url == "https://tasks.example"
    assert options.api_key == "env:BROWSER_USE_API_KEY"
    assert "@" not in (options.database or "") or ":" not in options.database.partition("//")[2]


def test_the_image_runs_as_a_user_without_rights():
    """The user is a number, the packages are those of the extras, each file with its hash."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]

    assert re.search(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)[1] == "10001"
    assert groups["image"] == ["browser-use-async[browser,cli,fleet,s3,server]"]
    assert re.findall(r"environment\.sh (\S+ \S+)", DOCKERFILE) == [
        "/opt/build build",
        "/opt/server image",
    ]
    assert re.findall(r"pip install (.*)", DOCKERFILE) == [
        "--require-hashes --requirement deploy/agent.txt"
    ]
    assert "/healthz" in DOCKERFILE[DOCKERFILE.index("HEALTHCHECK") :]
    for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.fullmatch(r"\S+:\d[\w.-]+", image)


def test_the_image_gets_the_files_that_its_build_needs():
    """Everything else, such as a database beside the sources, is left out."""
    first, *kept = (DEPLOY / "Dockerfile.dockerignore").read_text().split()

    assert first == "*"
    assert all((ROOT / name.removeprefix("!")).exists() for name in kept)
    # What its commands name, and what these read.
    used = {*re.findall(r"(?:scripts|deploy)/[\w.]+\.(?:sh|txt)", DOCKERFILE), "constraints.txt"}
    assert {f"!{name}" for name in used} <= set(kept)


@pytest.mark.parametrize("name", COMPOSE)
def test_every_service_of_compose_has_bounds(name):
    """None can use up memory, processors or processes of its neighbours, or become root."""
    for settings in _services(name).values():
        assert {"mem_limit", "cpus", "pids_limit", "networks"} <= settings.keys()
        assert settings["read_only"]
        assert settings["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in settings["security_opt"]


def test_the_database_of_compose_is_reached_by_servers_only():
    """It has no way to other networks, and the proxy none to it."""
    services = _services("compose.fleet.yaml")
    networks = yaml.safe_load((DEPLOY / "compose.fleet.yaml").read_text())["networks"]

    assert services["postgres"]["networks"] == ["back"]
    assert networks["back"]["internal"]
    assert services["proxy"]["networks"] == ["front"]


@pytest.mark.parametrize(
    ("name", "service"), [("compose.yaml", "server"), ("compose.fleet.yaml", "api")]
)
def test_the_proxy_of_compose_is_a_named_one(name, service):
    """The server trusts the addresses of clients from its network."""
    networks = yaml.safe_load((DEPLOY / name).read_text())["networks"]
    (subnet,) = networks["front"]["ipam"]["config"]

    assert f"--trusted-proxy={subnet['subnet']}" in _services(name)[service]["command"]


def test_the_profile_refuses_what_it_does_not_name():
    """Of namespaces it allows those of Chromium's sandbox only, and of Netlink no packet filter."""
    profile = json.loads((DEPLOY / "chromium-seccomp.json").read_text())
    rules = profile["syscalls"]
    allowed = [each for each in rules if each["action"] == "SCMP_ACT_ALLOW"]
    freely = {name for each in allowed if "args" not in each for name in each["names"]}
    limited = {name for each in allowed if "args" in each for name in each["names"]}

    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert (
        not {"mount", "umount2", "bpf", "kexec_load", "ptrace", "setns", "io_uring_setup"} & freely
    )
    assert limited == {"clone", "unshare", "socket", "personality"}
    assert not limited & freely
    assert "chroot" in freely  # of Chromium's sandbox
    for each in allowed:
        if each["names"] in (["clone"], ["unshare"]):
            (refused,) = each["args"]
            assert refused["op"] == "SCMP_CMP_MASKED_EQ"
            assert refused["value"] & _OTHER_NAMESPACES == _OTHER_NAMESPACES
            assert not refused["value"] & _NAMESPACES_OF_THE_SANDBOX
    assert {"clone3"} == {
        name for each in rules if each.get("errnoRet") == ENOSYS for name in each["names"]
    }


@pytest.mark.parametrize("name", COMPOSE)
def test_services_of_compose_keep_their_walls(name):
    """Read-only, without capabilities, with an existing profile, and no secret in the file."""
    for settings in _services(name).values():
        for variable, value in settings.get("environment", {}).items():
            if "KEY" in variable or "PASSWORD" in variable:
                assert value.startswith("${")
        if settings["image"] != "browser-use-async":
            assert re.search(r":\d", settings["image"])
            continue
        (profile,) = (each for each in settings["security_opt"] if each.startswith("seccomp="))
        assert (DEPLOY / profile.partition("=")[2]).exists()


def test_the_fleet_of_compose_has_two_of_each():
    """A worker gets the time that its tasks need before it is ended."""
    services = _services("compose.fleet.yaml")

    assert services["api"]["deploy"]["replicas"] == 2
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["worker"]["stop_grace_period"] == "11m"
    assert services["proxy"]["environment"]["UPSTREAM"] == "api"


@pytest.mark.parametrize("name", KUBERNETES)
def test_pods_are_probed_and_have_no_rights(name):
    """Ready by /healthz, alive by the port: a database outage must not end tasks."""
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
    assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"]["limits"].keys()
    assert all("sizeLimit" in each["emptyDir"] for each in pod["volumes"])
    mounts = {each["name"] for each in container["volumeMounts"]}
    assert mounts == {each["name"] for each in pod["volumes"]}


def test_pods_are_reached_by_their_neighbours_only():
    """The API by the ingress, workers by the API; neither reaches a cloud's metadata service."""
    policies = {each["metadata"]["name"]: each["spec"] for each in _documents("network.yaml")}

    for name in KUBERNETES:
        deployment = _kind(name, "Deployment")
        policy = policies.pop(deployment["metadata"]["name"])
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"] == labels
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert all(
            each["from"] and each["ports"] == [{"port": "http"}] for each in policy["ingress"]
        )
        ((block,),) = (each["to"] for each in policy["egress"])
        assert block["ipBlock"]["except"] == ["169.254.0.0/16"]
    assert policies == {}


def test_workers_have_time_to_drain_and_grow_with_the_queue():
    """The autoscaler's target exists, and a worker has the number of browsers it assumes."""
    deployment = _kind("worker.yaml", "Deployment")
    scaled = _kind("autoscaling.yaml", "ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    (container,) = _pod("worker.yaml")["containers"]

    assert _pod("worker.yaml")["terminationGracePeriodSeconds"] > DRAIN_SECONDS
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert f"--max-browsers={trigger['metadata']['threshold']}" in container["args"]
    assert "browser_use_tasks_queued" in trigger["metadata"]["query"]


def test_the_service_leads_to_the_api():
    """The ingress leads to the service."""
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
