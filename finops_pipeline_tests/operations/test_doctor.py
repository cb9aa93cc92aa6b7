"""The doctor finds nothing wrong with the embedded cluster, and exactly what was broken in it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from finops_pipeline import settings as configuration
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import open_installation, utc_now
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.operations.doctor import Finding, examine
from finops_pipeline.settings import Rule, Settings, Team
from finops_pipeline.simulation.server import Answer, Fault, Request, Server, serve
from finops_pipeline.units import WINDOW, window_start
from finops_pipeline_tests import programs

ROOT = programs.ROOT
CONFIG = """
data_dir = "{folder}/data"

[[clusters]]
name = "demo"
opencost_url = "{server.opencost_url}"
prometheus_url = "{server.prometheus_url}"
kubernetes_access = "kubeconfig"
kubeconfig_file = "{folder}/kubeconfig"
"""
KUBECONFIG = """
clusters: [{{name: demo, cluster: {{server: "{server.kubernetes_url}"}}}}]
users: [{{name: demo, user: {{}}}}]
contexts: [{{name: demo, context: {{cluster: demo, user: demo}}}}]
current-context: demo
"""


@dataclass(frozen=True)
class Clinic:
    """A server that can be broken, and an installation that reads it."""

    server: Server
    settings: Settings

    @property
    def data(self) -> Path:
        return self.settings.data_dir

    def findings(self) -> dict[str, Finding]:
        return {finding.check: finding for finding in examine(self.settings, utc_now())}

    def failed(self) -> set[str]:
        """Lines that are neither green nor unknown because of another one."""
        return {
            name
            for name, finding in self.findings().items()
            if finding.status in ("warning", "failed")
        }


@pytest.fixture(scope="module")
def healthy(tmp_path_factory) -> Iterator[Clinic]:
    """An installation with its newest windows read and published."""
    folder = tmp_path_factory.mktemp("healthy")
    with serve() as server:
        file = folder / "finops.toml"
        file.write_text(CONFIG.format(folder=folder, server=server))
        (folder / "kubeconfig").write_text(KUBECONFIG.format(server=server))
        settings = configuration.load(file, {})
        with open_installation(settings) as installation:
            end = window_start(utc_now())
            for source in SOURCES:
                read_due(source, installation, end - 4 * WINDOW, end)
            installation.publish()
        yield Clinic(server, settings)


@pytest.fixture
def clinic(healthy, tmp_path) -> Iterator[Clinic]:
    """The same, with data of its own and no fault."""
    shutil.copytree(healthy.data, tmp_path / "data")
    yield Clinic(
        healthy.server, healthy.settings.model_copy(update={"data_dir": tmp_path / "data"})
    )
    healthy.server.faults.clear()


def test_all_is_green_where_nothing_is_wrong(clinic):
    findings = clinic.findings()

    assert {finding.status for finding in findings.values()} == {"ok"}
    assert "version 1.120.1" in findings["opencost"].message
    assert "version 2.42.0" in findings["prometheus"].message
    assert "version v1.35.4-pretend" in findings["kubernetes"].message
    assert findings["kubernetes_rights"].message == "15 kinds can be listed"
    assert "15 of 15 minutes" in findings["opencost_minutes"].message


# Each fault of a server and the one line that it turns red.


SERIES = (
    "container_cpu",
    "container_memory",
    "container_running",
    "container_requests",
    "node_price",
)


def series(copies: float = 1, without: str = "") -> Fault:
    """Answer that Prometheus has a hundred series of each, but of one."""
    counts = {name: 100.0 for name in SERIES if name != without}
    if without != "container_running":
        counts["copies"] = copies
    samples = [
        {"metric": {"quantity": quantity}, "value": [0, str(count)]}
        for quantity, count in counts.items()
    ]
    body = json.dumps({"status": "success", "data": {"result": samples}}).encode()
    return lambda request: Answer(body) if is_doctors(request) else None


def is_doctors(request: Request) -> bool:
    return '"copies"' in request.params.get("query", "")


def ahead(seconds: float, within: Callable[[Request], Answer]) -> Fault:
    """Answer as a server whose clock is ahead."""
    return lambda request: within(request)._replace(sent_at=utc_now().timestamp() + seconds)


DOWN = Answer(b"upstream connect error", 503, "text/plain")
HTML = Answer(b"<!doctype html><title>Sign in</title>", 200, "text/html")
DENIED = Answer(b"unauthorized", 401, "text/plain")


def lose_a_third(clinic: Clinic) -> Fault:
    """OpenCost at a resolution of 5 minutes behind Prometheus 3: 10 of 15 minutes everywhere."""

    def answer(request: Request) -> Answer | None:
        whole = clinic.server.service._route(request)
        if whole.status != 200:
            return None
        document = json.loads(whole.body)
        steps = document["data"] if isinstance(document["data"], list) else [document["data"]]
        for item in (item for step in steps for item in step.values()):
            for name, value in item.items():
                if name.endswith(("Hours", "Cost", "minutes")) and isinstance(value, int | float):
                    item[name] = value * 10 / 15
        return Answer(json.dumps(document).encode())

    return answer


def forbidden(request: Request) -> Answer:
    status = {"kind": "Status", "code": 403, "message": f"{request.path} is forbidden"}
    return Answer(json.dumps(status).encode(), 403)


FAULTS: dict[str, tuple[str, Callable[[Clinic], Fault], str]] = {
    "OpenCost is down": ("/opencost", lambda _: DOWN, "opencost"),
    "a proxy's page instead of OpenCost": ("/opencost", lambda _: HTML, "opencost"),
    "a wrong token for OpenCost": ("/opencost", lambda _: DENIED, "opencost"),
    "OpenCost loses time": ("/opencost/a", lose_a_third, "opencost_minutes"),
    "OpenCost's Prometheus is down": ("/opencost/a", lambda _: DOWN, "opencost_answer"),
    "OpenCost forgot all containers": (
        "/opencost/allocation",
        lambda _: Answer(b'{"code":200,"data":[{}]}'),
        "opencost_answer",
    ),
    "OpenCost's clock": (
        "/opencost/installInfo",
        lambda clinic: ahead(-90, clinic.server.service._route),
        "opencost_clock",
    ),
    "Prometheus is down": ("/prometheus", lambda _: DOWN, "prometheus"),
    "a proxy's page instead of Prometheus": ("/prometheus", lambda _: HTML, "prometheus"),
    "Prometheus' clock": (
        "/prometheus/api/v1/query",
        lambda clinic: ahead(90, clinic.server.service._route),
        "prometheus_clock",
    ),
    "no cAdvisor": ("/prometheus", lambda _: series(without="container_cpu"), "container_metrics"),
    "no kube-state-metrics": (
        "/prometheus",
        lambda _: series(without="container_running"),
        "kube_state_metrics",
    ),
    "OpenCost is not scraped": (
        "/prometheus",
        lambda _: series(without="node_price"),
        "opencost_metrics",
    ),
    "the Kubernetes API is down": ("/kubernetes", lambda _: DOWN, "kubernetes"),
    "a wrong token for Kubernetes": ("/kubernetes", lambda _: DENIED, "kubernetes"),
    "Kubernetes' clock": (
        "/kubernetes/version",
        lambda clinic: ahead(400, clinic.server.service._route),
        "kubernetes_clock",
    ),
    "volumes may not be listed": (
        "/kubernetes/api/v1/persistentvolumes",
        lambda _: forbidden,
        "kubernetes_rights",
    ),
    "nothing may be listed": ("/kubernetes/api", lambda _: forbidden, "kubernetes_rights"),
    "kube-state-metrics twice": ("/prometheus", lambda _: series(copies=2), "duplicated_series"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_turns_its_line_red_and_no_other(clinic, what):
    path, fault, check = FAULTS[what]
    clinic.server.faults[path] = fault(clinic)

    findings = clinic.findings()

    assert {
        finding.check for finding in findings.values() if finding.status in ("warning", "failed")
    } == {check}
    assert findings[check].fix


def test_copies_are_unknown_where_no_series_says_who_runs(clinic):
    clinic.server.faults["/prometheus"] = series(without="container_running")

    assert clinic.findings()["duplicated_series"].status == "unknown"


def test_an_answer_without_confirmation_is_not_called_believed(clinic):
    clinic.server.faults["/prometheus"] = lambda _: DOWN

    answer = clinic.findings()["opencost_answer"]

    assert (answer.status, "unverified: Prometheus could not be asked" in answer.message) == (
        "unknown",
        True,
    )


def test_matchers_that_select_nothing_are_said_once(clinic):
    cluster = clinic.settings.clusters[0].model_copy(
        update={"prometheus_matchers": {"cluster": "elsewhere"}}
    )
    clinic.server.faults["/prometheus"] = lambda request: (
        Answer(b'{"status":"success","data":{"result":[]}}') if is_doctors(request) else None
    )
    findings = list(examine(clinic.settings.model_copy(update={"clusters": (cluster,)}), utc_now()))

    assert {finding.check for finding in findings if finding.status == "failed"} == {
        "prometheus_matchers"
    }
    assert {finding.check for finding in findings if finding.status == "unknown"} >= {
        "container_metrics"
    }


def test_a_missing_kubeconfig_is_no_wrong_address(clinic):
    cluster = clinic.settings.clusters[0].model_copy(
        update={"kubeconfig_file": clinic.data / "none"}
    )
    settings = clinic.settings.model_copy(update={"clusters": (cluster,)})
    (failed,) = (finding for finding in examine(settings, utc_now()) if finding.status == "failed")

    assert (failed.check, "there is no kubeconfig" in failed.message) == ("kubernetes", True)
    assert "kubeconfig" in failed.fix


def test_an_answer_of_several_clusters_is_not_said_to_be_a_wrong_address(clinic):
    clinic.server.faults["/opencost/allocation"] = several_clusters

    finding = clinic.findings()["opencost_answer"]

    assert "rows of several clusters (one, two)" in finding.message
    assert "address" not in finding.fix


def several_clusters(request: Request) -> Answer:
    start, end = request.params["window"].split(",")
    row = {"window": {"start": start, "end": end}, "minutes": 15}
    rows = {name: {"name": name, "properties": {"cluster": name}, **row} for name in ("one", "two")}
    return Answer(json.dumps({"code": 200, "data": [rows]}).encode())


# The same of what lies on our own side.


def lose_publication(clinic: Clinic) -> None:
    (clinic.data / "finops.duckdb").unlink()


def spoil_publication(clinic: Clinic) -> None:
    (clinic.data / "finops.duckdb").unlink()
    (clinic.data / "finops.duckdb").write_bytes(b"not a database")


def flip_a_byte(clinic: Clinic) -> None:
    file = next((clinic.data / "lake" / "raw.allocation").rglob("*.parquet"))
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)


def lose_a_file(clinic: Clinic) -> None:
    next((clinic.data / "lake" / "raw.asset").rglob("*.parquet")).unlink()


def spoil_the_ledger(clinic: Clinic) -> None:
    for file in clinic.data.glob("state.db*"):
        file.write_bytes(b"not a database at all" * 100)


DAMAGES: dict[str, tuple[Callable[[Clinic], None], str]] = {
    "the publication is gone": (lose_publication, "publication"),
    "the publication is damaged": (spoil_publication, "publication"),
    "a byte of the lake flipped": (flip_a_byte, "lake"),
    "a file of the lake is gone": (lose_a_file, "lake"),
    "the ledger is damaged": (spoil_the_ledger, "ledger"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damage_turns_its_line_red_and_no_other(clinic, what):
    damage, check = DAMAGES[what]
    damage(clinic)

    assert clinic.failed() == {check}


def test_a_publication_that_is_old_is_said(clinic):
    findings = {
        finding.check: finding
        for finding in examine(clinic.settings, utc_now() + timedelta(hours=2))
    }

    assert findings["publication"].status == "failed"
    assert (
        "2 h ago" in findings["publication"].message or "min ago" in findings["publication"].message
    )


def test_a_data_folder_that_cannot_be_used_is_said_once(clinic, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for data_dir in (file, file / "data"):
        settings = clinic.settings.model_copy(update={"data_dir": data_dir})
        findings = {finding.check: finding for finding in examine(settings, utc_now())}

        assert {finding.check for finding in findings.values() if finding.status == "failed"} == {
            "data_folder"
        }
        assert f"{file} is no folder" in findings["data_folder"].message


def test_nothing_is_wrong_with_an_installation_that_has_not_begun(clinic):
    shutil.rmtree(clinic.data)

    assert clinic.failed() == set()
    assert not clinic.data.exists()


def test_a_doubtful_rule_is_a_warning_that_names_it(clinic):
    rule, team = Rule(name="shop", team="retial"), Team(name="retail")
    attribution = clinic.settings.attribution.model_copy(update={"rules": (rule,)})
    update = {"attribution": attribution, "teams": (team,)}
    doubtful = Clinic(clinic.server, clinic.settings.model_copy(update=update))

    assert doubtful.failed() == {"attribution"}
    assert "rule 'shop': no entry of [[teams]]" in doubtful.findings()["attribution"].message


def test_a_bill_that_is_not_mounted_is_a_warning_on_a_line_of_its_own(clinic, tmp_path):
    bill = clinic.settings.bill.model_copy(update={"folder": str(tmp_path / "bill")})
    unmounted = Clinic(clinic.server, clinic.settings.model_copy(update={"bill": bill}))

    assert unmounted.failed() == {"bill"}
    assert f"{tmp_path / 'bill'} is no folder" in unmounted.findings()["bill"].message


def test_page_on_troubleshooting_lists_every_line(clinic):
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    section = page.split("## What the doctor looks at\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}

    assert listed == {*clinic.findings(), "connection", "prometheus_matchers", "bill"}
