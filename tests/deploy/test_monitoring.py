"""The dashboard and the collector's configuration name existing metrics and routes."""

import json
import re
from pathlib import Path

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from browser_use_async.server import LocalServer
from tests.server.calling import Caller
from tests.server.steering import FromQueue

DEPLOY = Path(__file__).parents[2] / "deploy"
_METRIC = re.compile(r"\bbrowser_use_\w+")


_OF_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


class _FewBrowsers(FromQueue):
    capacity = 1
    open_browsers = 1


async def _served() -> dict[str, set[str]]:
    """The labels of each metric of a server."""
    async with (
        aiohttp.ClientSession() as http,
        LocalServer(executor=_FewBrowsers()) as server,
    ):
        api = Caller(server, http)
        await api.create()
        answer = await api.get(f"{server.url}/metrics")
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_the_dashboard_shows_the_metrics_of_a_server():
    """All of its own, each with existing labels, in panels that do not overlap."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    served = await _served()
    own = {_OF_HISTOGRAM.sub("", name) for name in served if name.startswith("browser_use_")}
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]

    shown = {name for each in expressions for name in _METRIC.findall(each)}
    assert shown <= served.keys()
    assert {_OF_HISTOGRAM.sub("", name) for name in shown} == own
    for expression in expressions:
        (name,) = _METRIC.findall(expression)
        wanted = re.findall(r"by \(([\w, ]+)\)|\{(\w+)[=~]", expression)
        labels = {label for pair in wanted for label in ", ".join(pair).split(", ") if label}
        assert labels <= served[name]
    assert len(set(places)) == len(places)


async def test_the_collector_reads_what_a_server_serves():
    """With a key from the environment; each part that a pipeline names is configured."""
    collector = yaml.safe_load((DEPLOY / "otel-collector.yaml").read_text())
    (scrape,) = collector["receivers"]["prometheus"]["config"]["scrape_configs"]
    pipelines = collector["service"]["pipelines"]
    (names,) = scrape["dns_sd_configs"]
    fleet = yaml.safe_load((DEPLOY / "compose.fleet.yaml").read_text())["services"]

    assert set(names["names"]) <= fleet.keys()
    assert scrape["metrics_path"] == "/metrics"
    assert scrape["authorization"]["credentials"].startswith("${env:")
    assert set(collector["service"]["extensions"]) <= collector["extensions"].keys()
    assert pipelines["metrics"]["receivers"] == ["prometheus"]
    assert pipelines["traces"]["receivers"] == ["otlp"]
    for pipeline in pipelines.values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= collector[kind].keys()
