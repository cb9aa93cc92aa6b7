"""Ways into an API: kubeconfig with token, client certificate or plugin; a service account."""

import json
from pathlib import Path

import certifi
import httpx
import pytest

from finops_pipeline.errors import ServerRejected
from finops_pipeline.sources.kubernetes.access import from_kubeconfig, from_service_account

CA = Path(certifi.where())  # some authorities, in the form Kubernetes mounts one
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {"name": "one", "cluster": {"server": "http://one:8080/base"}},
        {"name": "two", "cluster": {"server": "http://two"}},
    ],
    "users": [
        {"name": "token", "user": {"token": "secret"}},
        {"name": "password", "user": {"username": "me", "password": "it"}},
        {"name": "nobody", "user": {}},
    ],
    "contexts": [
        {"name": "first", "context": {"cluster": "one", "user": "token"}},
        {"name": "second", "context": {"cluster": "two", "user": "password"}},
        {"name": "open", "context": {"cluster": "two", "user": "nobody"}},
    ],
    "current-context": "first",
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    return written(tmp_path, KUBECONFIG)


def written(folder: Path, content: object) -> Path:
    file = folder / "kubeconfig"
    file.write_text(json.dumps(content))  # JSON is YAML
    return file


def sent(client: httpx.Client) -> tuple[str, str | None]:
    """Return where a request would go, and as whom."""
    request = client.build_request("GET", "/api/v1/pods")
    return str(request.url), request.headers.get("Authorization")


@pytest.mark.parametrize(
    ("context", "url", "authorization"),
    [
        ("", "http://one:8080/base/api/v1/pods", "Bearer secret"),
        ("first", "http://one:8080/base/api/v1/pods", "Bearer secret"),
        ("second", "http://two/api/v1/pods", "Basic bWU6aXQ="),
        ("open", "http://two/api/v1/pods", None),
    ],
)
def test_a_context_says_where_and_as_whom(kubeconfig, context, url, authorization):
    with from_kubeconfig("prod", kubeconfig, context) as client:
        assert sent(client) == (url, authorization)


@pytest.mark.parametrize(
    "change",
    [
        {"current-context": "no such"},
        {"contexts": None},
        {"clusters": "x"},
        {"clusters": [{"name": "one", "cluster": {"server": "http://[::1"}}]},
        {"clusters": [{"name": "one", "cluster": {"server": "10.0.0.1:6443"}}]},
        {"clusters": [{"name": "one", "cluster": {"server": "http://a..b"}}]},
        {
            "clusters": [
                {"name": "one", "cluster": {"server": "http://a", "proxy-url": "socks5://b"}}
            ]
        },
        {"users": []},
        {"users": [{"name": "token", "user": {"auth-provider": {"name": "azure"}}}]},
        {
            "clusters": [
                {"name": "one", "cluster": {"server": "https://x", "certificate-authority": "no"}}
            ]
        },
    ],
    ids=[
        "context",
        "no contexts",
        "clusters",
        "address",
        "no scheme",
        "no host",
        "proxy",
        "no such user",
        "no credentials",
        "no such file",
    ],
)
def test_a_kubeconfig_that_does_not_work_names_the_cluster(tmp_path, change):
    file = written(tmp_path, KUBECONFIG | change)

    with (
        pytest.raises(ServerRejected, match="cluster prod: its Kubernetes access does not work"),
        from_kubeconfig("prod", file, ""),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", "a: b", "\0", "[" * 2000])
def test_a_file_that_is_no_kubeconfig_names_the_cluster(tmp_path, text):
    file = tmp_path / "kubeconfig"
    file.write_text(text)

    with pytest.raises(ServerRejected, match="cluster prod"), from_kubeconfig("prod", file, ""):
        pass


def test_a_missing_kubeconfig_names_the_cluster(tmp_path):
    with (
        pytest.raises(ServerRejected, match="cluster prod"),
        from_kubeconfig("prod", tmp_path / "none", ""),
    ):
        pass


def test_a_service_account_is_used_in_a_pod(tmp_path):
    (tmp_path / "token").write_text("of-the-pod\n")
    (tmp_path / "ca.crt").write_text(CA.read_text())
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    with from_service_account("prod", tmp_path, environ) as client:
        url, authorization = sent(client)

    assert url == "https://10.0.0.1/api/v1/pods"
    assert (authorization or "").lower() == "bearer of-the-pod"


def test_elsewhere_there_is_no_service_account(tmp_path):
    with (
        pytest.raises(ServerRejected, match="cluster prod: .*not set"),
        from_service_account("prod", tmp_path, {}),
    ):
        pass


@pytest.mark.parametrize("token", ["secret\nsecond line", "secr\xe9t", "secret\0"])
def test_a_token_that_cannot_be_sent_is_refused_before_an_error_repeats_it(tmp_path, token):
    users = [{"name": "token", "user": {"token": token}}]
    file = written(tmp_path, KUBECONFIG | {"users": users})

    with (
        pytest.raises(ServerRejected, match="not all visible ASCII") as refused,
        from_kubeconfig("prod", file, ""),
    ):
        pass

    assert "secr" not in str(refused.value)
