"""Plugins of a kubeconfig: what they print is used, and what goes wrong with them is said."""

import json
import stat
import time
from pathlib import Path

import pytest
from kubernetes.config import ConfigException

from finops_pipeline.sources.kubernetes.kubeconfig import read_context

VERSION = "client.authentication.k8s.io/v1"


def kubeconfig(folder: Path, script: str) -> Path:
    """Write a kubeconfig whose only user asks a plugin."""
    plugin = folder / "plugin"
    plugin.write_text(f"#!/bin/sh\n{script}\n")
    plugin.chmod(stat.S_IRWXU)
    user = {"exec": {"apiVersion": VERSION, "command": str(plugin), "provideClusterInfo": True}}
    content = {
        "clusters": [{"name": "one", "cluster": {"server": "https://api"}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "first", "context": {"cluster": "one", "user": "me"}}],
        "current-context": "first",
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(content))  # JSON is YAML
    return file


def printing(status: object) -> str:
    credential = {"apiVersion": VERSION, "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(credential)}'"


def test_a_plugin_is_asked_for_the_token(tmp_path):
    found = read_context(kubeconfig(tmp_path, printing({"token": "of-the-plugin"})), "")

    assert (found.host, found.api_key["BearerToken"]) == ("https://api", "Bearer of-the-plugin")


def test_a_plugin_is_told_of_the_cluster(tmp_path):
    script = f'echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/asked; {printing({"token": "x"})}'

    read_context(kubeconfig(tmp_path, script), "")

    asked = json.loads((tmp_path / "asked").read_text())
    assert (asked["apiVersion"], asked["kind"]) == (VERSION, "ExecCredential")
    assert asked["spec"]["interactive"] is False
    assert asked["spec"]["cluster"]["server"] == "https://api"


def test_a_plugin_may_give_a_certificate(tmp_path):
    status = {"clientCertificateData": "a certificate", "clientKeyData": "its key"}

    found = read_context(kubeconfig(tmp_path, printing(status)), "")

    files = [Path(file or "") for file in (found.cert_file, found.key_file)]
    assert [file.read_text() for file in files] == ["a certificate", "its key"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo log in first >&2; exit 3", "failed, 3: log in first"),
        ("echo '<html>'", "printed no credential"),
        ("printf '\\377'", "printed no credential"),
        (printing("secret"), "printed no credential"),
        (printing({"token": 5}), "printed no credential"),
        (printing({}), "no credentials of a kind that we know"),
        (printing({"clientCertificateData": "x"}), "no credentials of a kind that we know"),
    ],
)
def test_what_goes_wrong_with_a_plugin_is_said(tmp_path, script, message):
    with pytest.raises(ConfigException, match=message) as refused:
        read_context(kubeconfig(tmp_path, script), "")

    assert "secret" not in str(refused.value)


def test_a_plugin_that_asks_a_question_is_not_waited_for(tmp_path):
    file, begun = kubeconfig(tmp_path, "exec sleep 600"), time.monotonic()

    with pytest.raises(ConfigException, match="no answer in 0 s"):
        read_context(file, "", plugin_seconds=0.2)

    assert time.monotonic() - begun < 30


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigException, match=f"there is no kubeconfig {tmp_path}/none"):
        read_context(tmp_path / "none", "")
