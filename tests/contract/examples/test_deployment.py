"""The files of examples/deploy fit the gateway: what they name is there, and the programs that read them take them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from reconciler.conversion.compiler import ContentCompiler
from reconciler.desired.load import Desired, load
from reconciler.jobs import measures
from reconciler.model.secret_source import SecretSource
from reconciler.protocols.sftp import measures as sftp_measures
from reconciler.service.wiring import PROTOCOLS
from tests.conftest import require_program

FOLDER = Path(__file__).parents[3] / "examples" / "deploy"
GAUGES = Path(__file__).parents[3] / "reconciler" / "web" / "metrics.py"


@pytest.fixture(scope="module")
def desired() -> Desired:
    with ContentCompiler() as compiler:
        return load(FOLDER / "configuration", PROTOCOLS, compiler)


def metrics() -> set[str]:
    """Return the name of every series that a gateway has."""
    assert {measures.CONVERSIONS._name, sftp_measures.LOGINS._name} <= {metric.name for metric in REGISTRY.collect()}
    named = {sample.name for metric in REGISTRY.collect() for sample in metric.samples}
    # A counter or a histogram with labels has samples only once something was counted.
    counted = {f"{metric.name}_total" for metric in REGISTRY.collect()} | {
        f"{metric.name}_bucket" for metric in REGISTRY.collect()
    }
    return named | counted | set(re.findall(r'"(reconciler_\w+)"', GAUGES.read_text()))


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "alerts.yml"])
def test_what_is_drawn_and_watched_is_measured(name: str) -> None:
    asked = set(re.findall(r"\breconciler_\w+", (FOLDER / name).read_text()))
    assert len(asked) > 5
    assert asked - metrics() == set()


def test_the_dashboard_shows_every_series() -> None:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    drawn = {name for panel in dashboard["panels"] for one in panel["targets"] for name in _names(one["expr"])}
    own = {name for name in metrics() if name.startswith("reconciler_")}
    measured = {re.sub(r"_(total|bucket|count|sum|created)$", "", name) for name in own}
    assert measured - drawn == {"reconciler_revision"}  # drawn as a mark on every panel
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def _names(expression: str) -> set[str]:
    return {re.sub(r"_(total|bucket)$", "", name) for name in re.findall(r"\breconciler_\w+", expression)}


def test_every_secret_is_in_the_environment_that_the_readme_makes(desired: Desired) -> None:
    gateway, alerts = desired.project.gateway, desired.project.alerts
    assert gateway.smtp is not None
    assert gateway.oidc is not None
    assert alerts is not None
    sources = [gateway.smtp.password, gateway.oidc.client_secret, *alerts.urls]
    made = set(re.findall(r"^([A-Z_]+)=", (FOLDER / "README.md").read_text(), re.MULTILINE))
    for source in sources:
        assert isinstance(source, SecretSource)
        assert source.secret.removeprefix("env:") in made
    composed = (FOLDER / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{([A-Z_]+):\?\}", composed)) <= made


def test_ports_and_names_are_the_same_everywhere(desired: Desired) -> None:
    gateway = desired.project.gateway
    assert gateway.metrics is not None
    ports = {gateway.sftp.listen.port, gateway.http.listen.port, gateway.metrics.listen.port}
    for name in ("haproxy.cfg", "Containerfile"):
        assert ports <= {int(port) for port in re.findall(r"\b\d{4}\b", (FOLDER / name).read_text())}, name
    composed = (FOLDER / "compose.yaml").read_text()
    assert re.findall(r"subnet: ([0-9./]+)", composed) == [*gateway.sftp.proxy_protocol_from]
    servers = set(re.findall(r"^  server (\S+) ", (FOLDER / "haproxy.cfg").read_text(), re.MULTILINE))
    services = set(re.findall(r"^  ([a-z0-9-]+):", composed, re.MULTILINE))
    assert servers == {"gateway-1", "gateway-2"} < services


def test_the_image_is_not_run_by_root_and_says_how_it_is() -> None:
    lines = (FOLDER / "Containerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert "/readyz" in "\n".join(lines)


def test_haproxy_takes_its_configuration(tmp_path: Path) -> None:
    haproxy = require_program("haproxy", package="haproxy")
    # Names of containers have no address here.
    text = re.sub(r"gateway-\d:(?=\d)", "127.0.0.1:", (FOLDER / "haproxy.cfg").read_text())
    (tmp_path / "haproxy.cfg").write_text(text)
    done = subprocess.run(
        [haproxy, "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = require_program("systemd-analyze", package="systemd")
    program = tmp_path / "reconciler"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "reconciler.service"
    unit.write_text((FOLDER / "reconciler.service").read_text().replace("/opt/reconciler/bin/reconciler", str(program)))
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "reconciler.service" in line and "Unit" not in line]
    assert ours == []
