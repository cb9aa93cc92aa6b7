"""A cluster is taken as written, or refused with what is wrong; no two share what is one's own."""

import json
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings import load, token_variables
from finops_pipeline_tests.settings.written import CLUSTER, cluster, table, tokens

WRONG_CLUSTERS = [
    ({"name": "Prod"}, "clusters.0.name: String should match pattern"),
    ({"name": "prod_eu"}, "clusters.0.name: String should match pattern"),
    ({"name": None}, "clusters.0.name: is missing"),
    ({"prometheus_url": None}, "clusters.0.prometheus_url: is missing"),
    ({"opencost_url": "oc:9003"}, "clusters.0.opencost_url: is not an http:// or https:// address"),
    ({"opencost_url": "http://oc:port"}, "clusters.0.opencost_url: Port could not be cast"),
    ({"opencost_url": "http://oc/?window=1d"}, "clusters.0.opencost_url: holds more than"),
    ({"opencost_url": "http://oc:0"}, "clusters.0.opencost_url: has port 0"),
    ({"opencost_url": "http://oc:65536"}, "clusters.0.opencost_url: Port out of range"),
    ({"opencost_url": "http://oc\t"}, "clusters.0.opencost_url: is not an http://"),
    ({"opencost_url": "http://oc/\x1b"}, "clusters.0.opencost_url: is not an http://"),
    ({"opencost_url": "\x00http://oc"}, "clusters.0.opencost_url: is not an http://"),
    ({"opencost_url": "http://a..b"}, "clusters.0.opencost_url: has no name or address"),
    ({"opencost_url": "http://.b"}, "clusters.0.opencost_url: has no name or address"),
    ({"opencost_url": "http://."}, "clusters.0.opencost_url: has no name or address"),
    ({"opencost_url": "http://a<b"}, "clusters.0.opencost_url: has no name or address"),
    ({"opencost_url": "http://300.1.1.1"}, "clusters.0.opencost_url: has no name or address"),
    ({"prometheus_token_file": ""}, "clusters.0.prometheus_token_file: should be a path"),
    ({"headers": {"X-Org": "ü"}}, "clusters.0.headers: has a name or value that is no header"),
    ({"headers": {"X-Org": "a\r\nb: c"}}, "clusters.0.headers: has a name or value that is no"),
    ({"headers": {"X Org": "a"}}, "clusters.0.headers: has a name or value that is no header"),
    ({"headers": {"Proxy-Authorization": "x"}}, "clusters.0.headers: holds a secret"),
    ({"headers": {"x-api-key": "x"}}, "clusters.0.headers: holds a secret"),
    ({"headers": {"COOKIE": "x"}}, "clusters.0.headers: holds a secret"),
    ({"opencost_token": "abc"}, "clusters.0.opencost_token: is a secret"),
    ({"headers": {"Authorization": "Basic x"}}, "clusters.0.headers: holds a secret"),
    (
        {"prometheus_matchers": {"a-b": "x"}},
        "clusters.0.prometheus_matchers: has a key that is not",
    ),
    ({"client_key_file": "/k.pem"}, "clusters.0: client_key_file is of no use without"),
    (
        {"prices": [{"node_pool": "spot", "storage_gb_month_price": 0.1}]},
        "clusters.0.prices.0: storage_gb_month_price has no node pool",
    ),
    (
        {"prices": [{"node_pool": "spot"}, {"node_pool": "spot"}]},
        "clusters.0.prices: has two entries for node_pool 'spot'",
    ),
    ({"prices": [{"cpu_core_hour_price": True}]}, "clusters.0.prices.0.cpu_core_hour_price: "),
    ({"prices": [{"gpu_hour_price": "0.95"}]}, "clusters.0.prices.0.gpu_hour_price: "),
    ({"prices": [{"gpu_hour_price": -1}]}, "clusters.0.prices.0.gpu_hour_price: "),
    ({"prices": [{"discount_ratio": 1}]}, "clusters.0.prices.0.discount_ratio: "),
    ({"verify": False, "ca_file": "/ca.pem"}, "clusters.0: ca_file is of no use"),
    ({"urls": []}, "clusters.0.urls: there is no such setting"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG_CLUSTERS, ids=str)
def test_a_mistake_in_a_cluster_is_named(changes, message):
    with pytest.raises(ConfigError, match=re.escape(f"FINOPS_CLUSTERS: {message}")):
        load(environ=cluster(**changes))


@pytest.mark.parametrize("text", ["", "{", "3", '"a"', "[3]", "[]", "{}", "null", "[" * 100_000])
def test_clusters_that_are_no_list_of_tables_are_refused(text):
    with pytest.raises(ConfigError, match="FINOPS_CLUSTERS: "):
        load(environ={"FINOPS_CLUSTERS": text})


def test_two_clusters_of_one_name_are_refused(file):
    with pytest.raises(ConfigError, match="clusters: two clusters would share prod-eu"):
        load(file(table() + table()), {})


def test_clusters_whose_tokens_share_a_variable_are_refused(file):
    path = file(table(name="prod") + table(name="prod-prometheus"))

    with pytest.raises(ConfigError, match="would share FINOPS_CLUSTER_PROD_PROMETHEUS_TOKEN"):
        load(path, {})


@pytest.mark.parametrize("url", ["http://oc:9003", "http://OC:9003/"])
def test_clusters_that_read_one_opencost_are_refused(file, url):
    path = file(table(name="a") + table(name="b", opencost_url=url))

    with pytest.raises(ConfigError, match="clusters: two clusters have the opencost_url http://oc"):
        load(path, {})


@pytest.mark.parametrize(
    ("url", "hours"),
    [
        ("http://kubecost:9090/model", {"prod-eu": 49}),
        ("https://proxy/kubecost/model/", {"prod-eu": 49}),
        ("http://opencost:9003", {}),
        ("http://models/models", {}),
    ],
)
def test_kubecost_is_known_by_its_path_and_read_once_more(url, hours):
    settings = load(environ=cluster(opencost_url=url))

    assert settings.last_reread_hours() == hours


def test_hosts_may_be_addresses_and_full_names():
    for host in ("[::1]", "10.0.0.1", "a_b.svc.cluster.local.", "köln.example"):
        url = f"http://{host}:9003"
        assert load(environ=cluster(opencost_url=url)).clusters[0].opencost_url == url


@pytest.mark.parametrize(
    "keys",
    [
        {"kubernetes_access": "in-cluster"},
        {"kubernetes_access": "kubeconfig"},
        {"kubernetes_access": "kubeconfig", "kubeconfig_file": "k", "kubeconfig_context": "prod"},
    ],
)
def test_a_kubernetes_api_is_reached_in_one_of_two_ways(keys):
    (one,) = load(environ=cluster(**keys)).clusters

    assert one.kubernetes_access == keys["kubernetes_access"]
    assert one.kubeconfig_context == keys.get("kubeconfig_context", "")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kubernetes_access": "kubectl"}, "kubernetes_access"),
        ({"kubeconfig_file": "k"}, "kubeconfig_file is of no use without"),
        (
            {"kubernetes_access": "in-cluster", "kubeconfig_context": "prod"},
            "kubeconfig_context is of no use without",
        ),
    ],
)
def test_a_kubeconfig_is_refused_where_none_is_used(keys, message):
    with pytest.raises(ConfigError, match=message):
        load(environ=cluster(**keys))


@pytest.mark.parametrize(
    ("first", "second", "is_refused"),
    [
        ({"kubernetes_access": "none"}, {"kubernetes_access": "none"}, False),
        ({"kubernetes_access": "in-cluster"}, {"kubernetes_access": "in-cluster"}, True),
        ({"kubernetes_access": "kubeconfig"}, {"kubernetes_access": "kubeconfig"}, True),
        (
            {"kubernetes_access": "kubeconfig", "kubeconfig_context": "a"},
            {"kubernetes_access": "kubeconfig", "kubeconfig_context": "b"},
            False,
        ),
    ],
)
def test_two_clusters_have_two_apis(first, second, is_refused):
    other = {"name": "second", "opencost_url": "http://second"}
    entries = [{**CLUSTER, **first}, {**CLUSTER, **other, **second}]
    variables = {"FINOPS_CLUSTERS": json.dumps(entries)}

    if is_refused:
        with pytest.raises(ConfigError, match="two clusters have the same Kubernetes API"):
            load(environ=variables)
    else:
        assert len(load(environ=variables).clusters) == 2


# --- properties ------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", fullmatch=True).filter(
    lambda n: len(n) < 64
)
HOSTS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)
PATHS = st.text(string.ascii_letters + string.digits + "/-_.%", max_size=20).map(lambda p: f"/{p}")


@given(NAMES)
def test_tokens_are_found_for_every_name(name):
    opencost, prometheus = token_variables(name)
    variables = {**cluster(name=name), opencost: "a", prometheus: "b"}

    (one,) = load(environ=variables).clusters

    assert tokens(one) == ("a", "b")


@given(st.sampled_from(["http", "https"]), HOSTS, st.integers(1, 65535), PATHS)
@example("http", "OpenCost", 9003, "/model/")
def test_urls_are_kept_as_written(scheme, host, port, path):
    url = f"{scheme}://{host}:{port}{path}"

    (one,) = load(environ=cluster(opencost_url=url)).clusters

    assert one.opencost_url == url


@given(st.text(max_size=30))
def test_any_other_text_for_a_url_is_a_clear_error(text):
    if re.match(r"https?://", text):
        return
    with pytest.raises(ConfigError, match=r"FINOPS_CLUSTERS: clusters\.0\.opencost_url: "):
        load(environ=cluster(opencost_url=text))


@given(
    st.dictionaries(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]*", fullmatch=True), st.text(max_size=9))
)
@example({"cluster": 'a"b\\c\n'})
def test_matchers_are_quoted_for_promql(matchers):
    (one,) = load(environ=cluster(prometheus_matchers=matchers)).clusters

    text = one.promql_matchers()

    pairs = re.findall(r'([a-zA-Z_]\w*)=("(?:[^"\\]|\\.)*")', text)
    assert {label: json.loads(quoted) for label, quoted in pairs} == matchers
