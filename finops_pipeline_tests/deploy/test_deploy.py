"""The files under deploy/: valid, without a finding, and as restricted as they say.

What a container engine or a cluster would say stays open: neither runs here.
"""

import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from finops_pipeline.settings import load
from finops_pipeline_tests.programs import ROOT, find

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
BUILT = ["reader", "base", *(f"overlays/{name}" for name in OVERLAYS)]
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
TOKENS = "/var/run/secrets/finops"
# Findings we keep, each with its reason beside it in the file.
KEPT = {"CKV_K8S_11", "CKV_K8S_15", "CKV_K8S_43", "CKV_DOCKER_7"}
READABLE = {
    "": {"namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes", "pods", "services"},
    "apps": {"daemonsets", "deployments", "replicasets", "statefulsets"},
    "batch": {"cronjobs", "jobs"},
    "autoscaling": {"horizontalpodautoscalers"},
    "policy": {"poddisruptionbudgets"},
    "storage.k8s.io": {"storageclasses"},
}
# A key of Google or Amazon, a private key, a token; a host that packages or images come from.
SECRETS = r"AIza[0-9A-Za-z_-]{30}|A(KI|SI)A[0-9A-Z]{16}|PRIVATE KEY|eyJ[0-9A-Za-z_-]{20}"
REGISTRIES = r"(pypi|pythonhosted|npmjs|ghcr|quay|gcr|docker|registry\.k8s|github)\.(org|com|io)"

needs_kubectl = pytest.mark.needs("kubectl")


def run(program, *arguments):
    return subprocess.run([str(find(program)), *arguments], capture_output=True, text=True)


@cache
def built(name):
    """What would be applied, as text."""
    ran = run("kubectl", "kustomize", KUBERNETES / name)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def objects(name, kind):
    return [thing for thing in yaml.safe_load_all(built(name)) if thing["kind"] == kind]


def deployment(name):
    (only,) = objects(name, "Deployment")
    return only["spec"]


def containers(name):
    pod = deployment(name)["template"]["spec"]
    return {it["name"]: it for it in pod["initContainers"] + pod["containers"]}


@pytest.mark.needs("kubernetes-validate")
@needs_kubectl
@pytest.mark.parametrize("name", BUILT)
def test_manifests_are_what_kubernetes_knows(name, tmp_path):
    (tmp_path / "all.yaml").write_text(built(name))

    ran = run("kubernetes-validate", "--strict", tmp_path / "all.yaml")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (ran.stdout + ran.stderr).count(" passed ") == built(name).count("\nkind: ")


@pytest.mark.needs("kubernetes-validate")
def test_rights_of_opencost_are_what_kubernetes_knows():
    assert run("kubernetes-validate", "--strict", DEPLOY / "opencost" / "rbac.yaml").returncode == 0


@pytest.mark.needs("checkov")
@needs_kubectl
def test_nothing_is_left_open(tmp_path):
    for name in OVERLAYS:  # each holds reader and base
        (tmp_path / f"{name}.yaml").write_text(built(f"overlays/{name}"))
    for path in ("docker/Dockerfile", "docker/compose.yaml", "opencost/rbac.yaml"):
        (tmp_path / Path(path).name).write_text((DEPLOY / path).read_text())

    kinds = ["--framework", "kubernetes", "dockerfile", "secrets"]
    ran = run("checkov", "--skip-download", "--output=json", "--directory", tmp_path, *kinds)

    found = {report["check_type"]: report["results"] for report in json.loads(ran.stdout)}
    kept = {check["check_id"] for of in found.values() for check in of["skipped_checks"]}
    assert [check for of in found.values() for check in of["failed_checks"]] == []
    assert {kind: bool(of["passed_checks"]) for kind, of in found.items()} == {
        "kubernetes": True,
        "dockerfile": True,
    }
    assert kept == KEPT


@pytest.mark.needs("hadolint")
def test_dockerfile_has_no_findings():
    ran = run("hadolint", DEPLOY / "docker" / "Dockerfile")

    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.needs("promtool")
def test_prometheus_takes_the_scrape_job(tmp_path):
    job = (DEPLOY / "opencost" / "scrape-job.yaml").read_text()
    (tmp_path / "prometheus.yml").write_text(f"scrape_configs:\n{job}")

    ran = run("promtool", "check", "config", tmp_path / "prometheus.yml")
    (opencost,) = yaml.safe_load(job)

    assert ran.returncode == 0, ran.stderr
    assert opencost["honor_labels"] is True
    assert (opencost["scrape_interval"], opencost["metrics_path"]) == ("1m", "/metrics")
    assert opencost["static_configs"] == [{"targets": ["opencost.opencost:9003"]}]


@needs_kubectl
@pytest.mark.parametrize("name", BUILT[1:])
def test_there_is_one_pod_and_never_a_second(name):
    spec = deployment(name)
    (claim,) = objects(name, "PersistentVolumeClaim")

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


@needs_kubectl
@pytest.mark.parametrize("name", BUILT[1:])
def test_the_pod_may_do_nothing_but_its_work(name):
    pod = deployment(name)["template"]["spec"]

    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for it in containers(name).values():
        assert it["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= it["resources"]["requests"].keys()
        assert "memory" in it["resources"]["limits"]
    for it in pod["containers"]:
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= it.keys()


@needs_kubectl
@pytest.mark.parametrize("name", BUILT)
def test_the_namespace_takes_restricted_pods_only(name):
    (namespace,) = objects(name, "Namespace")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@needs_kubectl
@pytest.mark.parametrize("name", BUILT)
def test_the_reader_reads_these_kinds_and_changes_nothing(name):
    (role,) = objects(name, "ClusterRole")

    assert {rule["apiGroups"][0]: set(rule["resources"]) for rule in role["rules"]} == READABLE
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
    assert all(rule.keys() == {"apiGroups", "resources", "verbs"} for rule in role["rules"])


@needs_kubectl
@pytest.mark.parametrize("name", BUILT)
def test_the_ui_is_reachable_from_inside_only(name):
    assert objects(name, "Ingress") == []
    assert {service["spec"]["type"] for service in objects(name, "Service")} <= {"ClusterIP"}
    assert "hostPort" not in built(name)
    assert "hostNetwork" not in built(name)


@needs_kubectl
@pytest.mark.parametrize("name", BUILT[1:])
def test_the_network_is_closed_but_for_named_ports(name):
    policies = {it["metadata"]["name"]: it["spec"] for it in objects(name, "NetworkPolicy")}

    closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies.pop("deny-all") == closed
    for spec in policies.values():
        assert all(rule["ports"] for rule in spec.get("egress", []) + spec.get("ingress", []))
        assert all(rule["from"] for rule in spec.get("ingress", []))


@needs_kubectl
@pytest.mark.parametrize("name", BUILT)
def test_no_manifest_holds_a_secret(name):
    assert objects(name, "Secret") == []


@needs_kubectl
@pytest.mark.parametrize("name", BUILT[1:])
def test_containers_fit_the_image(name):
    paths = set(json.loads(re.findall(r"^VOLUME (.+)$", DOCKERFILE, re.MULTILINE)[0]))
    (user,) = re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pod = deployment(name)["template"]["spec"]

    assert pod["securityContext"]["runAsUser"] == int(user) >= 10001
    for it in containers(name).values():
        assert it["image"] == f"finops-pipeline:{project['version']}"
        writable = {mount["mountPath"] for mount in it["volumeMounts"] if "readOnly" not in mount}
        assert writable == paths | {"/tmp"}
        assert_runs(it["command"])


def test_compose_runs_the_same_commands_on_this_machine_only():
    services = COMPOSE["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert all(service["read_only"] for service in services.values())
    for name in ("migrate", "code", "daemon", "webserver"):
        assert_runs(services[name]["command"])


def assert_runs(command):
    """The program is in our environment, and takes these subcommands and options."""
    said = usage(*(word for word in command if not word.startswith("-")))
    options = {word.partition("=")[0] for word in command if word.startswith("-")}

    assert {option for option in options if option not in said} == set()


@cache
def usage(program, *words):
    """What a command says about itself; Dagster's take seconds for it."""
    path = Path(sys.executable).with_name(program)
    ran = subprocess.run([path, *words, "--help"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_of_an_overlay_can_be_used(overlay, tmp_path):
    folder = KUBERNETES / "overlays" / overlay
    text = (folder / "finops.toml").read_text()
    names = re.findall(rf'"{TOKENS}/(.+)"', text)
    for name in names:
        (tmp_path / name).write_text(f"token-of-{name}")
    (tmp_path / "finops.toml").write_text(text.replace(TOKENS, str(tmp_path)))

    settings = load(tmp_path / "finops.toml", {})

    tokens = [
        token.get_secret_value()
        for cluster in settings.clusters
        for token in (cluster.opencost_token, cluster.prometheus_token)
        if token
    ]
    assert tokens == [f"token-of-{name}" for name in names]
    kustomization = (folder / "kustomization.yaml").read_text()
    assert re.findall(r"--from-file=(\S+)", kustomization) == names


def test_settings_of_compose_can_be_used():
    settings = load(ROOT / "finops.example.toml", COMPOSE["x-pipeline"]["environment"])

    assert settings.metrics.pushgateway_url == "http://pushgateway:9091"


def test_namespaces_of_the_platform_are_shared_unless_the_settings_say_otherwise():
    manifests = [path.read_text() for path in FILES if path.suffix == ".yaml"]
    named = re.findall(r"^ *namespace(?:Name)?: (\S+)$", "\n".join(manifests), re.MULTILINE)
    installed = re.findall(r"--namespace (\S+)", (DEPLOY / "README.md").read_text())

    settings = load(ROOT / "finops.example.toml", {})

    assert {*named, *installed} == {"finops", "opencost", "monitoring"}
    assert settings.sharing.shared_namespaces == ("kube-*", "finops", "opencost", "monitoring")


def test_opencost_gets_the_resolution_that_windows_need():
    values = yaml.safe_load((DEPLOY / "opencost" / "values.yaml").read_text())["opencost"]

    assert values["exporter"]["extraEnv"]["PROMETHEUS_QUERY_RESOLUTION_SECONDS"] == "60"
    monitor = values["metrics"]["serviceMonitor"]
    assert (monitor["honorLabels"], monitor["scrapeInterval"]) == (True, "1m")


def test_prices_of_a_file_are_per_hour():
    values = yaml.safe_load((DEPLOY / "opencost" / "pricing.yaml").read_text())
    prices = values["opencost"]["customPricing"]["costModel"]

    assert all(isinstance(price, str) for price in prices.values())
    assert (prices["CPU"], prices["RAM"], prices["GPU"]) == ("0.031611", "0.004237", "0.95")
    assert float(prices["storage"]) * 730 == pytest.approx(0.10, rel=1e-5)
    assert prices["internetNetworkEgress"] == "0.09"
    assert float(prices["firstFiveForwardingRulesCost"]) * 730 == pytest.approx(18 + 3.6, rel=1e-4)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_file_holds_no_secret_and_no_registry(path):
    assert re.search(f"{SECRETS}|{REGISTRIES}", path.read_text()) is None


def test_image_is_built_from_files_that_are_let_through():
    copied = re.findall(r"^COPY ([^-].*) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert names == set(let_through)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_wheel_holds_the_whole_package(tmp_path):
    wheel = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ROOT]
    subprocess.run([sys.executable, "-m", "pip", *wheel], check=True)
    (path,) = tmp_path.glob("*.whl")
    package = (ROOT / "finops_pipeline").rglob("*")
    ours = {str(it.relative_to(ROOT)) for it in package if it.suffix in {".py", ".sql"}}

    shipped = {name for name in ZipFile(path).namelist() if ".dist-info/" not in name}

    assert ours <= shipped
    assert {Path(name).parts[0] for name in shipped} == {"finops_pipeline"}


def test_guide_names_files_that_exist():
    text = (DEPLOY / "README.md").read_text()
    named = set(re.findall(r"deploy/[\w./-]*\w", text))

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
