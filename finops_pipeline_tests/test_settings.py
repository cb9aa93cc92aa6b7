import json
import re
import string
import tomllib
import traceback
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings import describe, load, load_data_dir, token_variables

ROOT = Path(__file__).parent.parent
CLUSTER = {"name": "prod-eu", "opencost_url": "http://oc:9003", "prometheus_url": "http://prom"}
CLUSTERS = json.dumps([CLUSTER])


def cluster(**changes: object) -> dict[str, str]:
    """Variables for one cluster; None takes a key out."""
    keys = {key: value for key, value in {**CLUSTER, **changes}.items() if value is not None}
    return {"FINOPS_CLUSTERS": json.dumps([keys])}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without finops.toml."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path):
    def write(text, name="finops.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def table(**keys: object) -> str:
    """TOML of one cluster; JSON's text and true are TOML's too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**CLUSTER, **keys}.items()]
    return "\n".join(["[[clusters]]", *lines, ""])


# --- where values come from ------------------------------------------------------------------


def test_defaults_hold_where_nothing_else_is_said():
    settings = load(environ={"FINOPS_CLUSTERS": CLUSTERS})

    assert settings.currency == "USD"
    assert settings.ingest.reread_hours == (1, 24)
    assert settings.attribution.environment_labels == ("environment", "env")
    assert settings.database_url() == "sqlite:///data/state.db"
    assert settings.clusters[0].verify


def test_without_configuration_it_says_what_to_do():
    with pytest.raises(ConfigError, match=r"make demo.*cp finops\.example\.toml finops\.toml"):
        load(environ={})


def test_finops_toml_of_the_working_directory_is_read(file):
    file(table())

    assert load(environ={}).clusters[0].name == "prod-eu"


def test_a_file_given_by_variable_beats_the_one_here(file):
    file(table())
    other = file(table(name="other"), "other.toml")

    assert load(environ={"FINOPS_CONFIG": str(other)}).clusters[0].name == "other"


def test_a_file_given_as_argument_beats_the_variable(file):
    path = file(table())

    assert load(path, {"FINOPS_CONFIG": "/nowhere.toml"}).clusters[0].name == "prod-eu"


def test_a_named_file_has_to_exist():
    with pytest.raises(ConfigError, match=r"FINOPS_CONFIG: .* no settings file /nowhere\.toml"):
        load(environ={"FINOPS_CONFIG": "/nowhere.toml"})


def test_a_variable_beats_the_file_and_leaves_its_neighbours(file):
    file("[ingest]\nhorizon_days = 30\nsettle_minutes = 7\n" + table())

    ingest = load(environ={"FINOPS_INGEST__HORIZON_DAYS": "3"}).ingest

    assert (ingest.horizon_days, ingest.settle_minutes) == (3, 7)


def test_lists_and_flags_are_json_in_variables():
    variables = {"FINOPS_INGEST__REREAD_HOURS": "[1, 24, 49]", "FINOPS_IS_DEMO": "true"}

    settings = load(environ={"FINOPS_CLUSTERS": CLUSTERS, **variables})

    assert (settings.ingest.reread_hours, settings.is_demo) == ((1, 24, 49), True)


def test_the_variable_for_clusters_replaces_the_whole_list(file):
    file(table(name="a") + table(name="b"))

    assert [c.name for c in load(environ={"FINOPS_CLUSTERS": CLUSTERS}).clusters] == ["prod-eu"]


def test_data_dir_is_known_without_clusters(file):
    assert load_data_dir(environ={}) == Path("data")
    assert load_data_dir(environ={"FINOPS_DATA_DIR": "/srv/finops"}) == Path("/srv/finops")
    assert load_data_dir(file('data_dir = "here"'), {}) == Path("here")


def test_data_dir_is_checked_without_clusters(file):
    path = file("data_dir = 3")

    with pytest.raises(ConfigError, match=re.escape(f"{path}: data_dir: ")):
        load_data_dir(path, {})


def test_settings_cannot_be_changed():
    settings = load(environ={"FINOPS_CLUSTERS": CLUSTERS})

    with pytest.raises(ValueError, match="frozen"):
        settings.currency = "EUR"  # type: ignore[misc]


# --- what is refused -------------------------------------------------------------------------

WRONG_IN_FILE = {
    "_env_file = '.env'\n": "_env_file: there is no such setting",
    "colour = 1\n": "colour: there is no such setting",
    "[ingest]\nhorizon_day = 1\n": "ingest.horizon_day: there is no such setting",
    "[ingest]\nhorizon_days = '14'\n": "ingest.horizon_days: Input should be a valid integer",
    "[ingest]\nhorizon_days = 14.5\n": "ingest.horizon_days: Input should be a valid integer",
    "[ingest]\nhorizon_days = true\n": "ingest.horizon_days: Input should be a valid integer",
    "[ingest]\nhorizon_days = 0\n": "ingest.horizon_days: Input should be greater than",
    "[ingest]\nreread_hours = [24, 1]\n": "ingest.reread_hours: should be whole hours that rise",
    "[ingest]\nreread_hours = []\n": "ingest.reread_hours: should be whole hours that rise",
    "[ingest]\nreread_hours = ['1']\n": "ingest.reread_hours.0: Input should be a valid integer",
    "[ingest]\nhorizon_days = 1\n": "ingest.horizon_days: 1 days are too short for ingest.reread",
    "[ingest]\nreread_hours = [1, 335]\n": "ingest.horizon_days: 14 days are too short",
    "[retention]\nraw_days = 13\n": "retention.raw_days: 13 days are less than the 14 of ingest.",
    "data_dir = ''\n": "data_dir: should be a path",
    'data_dir = "a\\u0000b"\n': "data_dir: should be a path",
    "state_url = 'sqlite://'\n": "state_url: is SQLite without a file",
    "state_url = 'sqlite:///'\n": "state_url: is SQLite without a file",
    "state_url = 'sqlite+pysqlite:///:memory:'\n": "state_url: is SQLite without a file",
    "state_url = 'sqlite:///file:x?mode=memory&uri=true'\n": "state_url: is SQLite without a file",
    "ingest = 3\n": "ingest: should be a table, not 3",
    "currency = 'euro'\n": "currency: String should match pattern",
    "is_demo = 1\n": "is_demo: Input should be a valid boolean",
    "state_url = 'state.db'\n": "state_url: is not a URL of SQLAlchemy",
    "state_url = 'postgresql://me:secret@db/finops'\n": "state_url: holds a password",
    "[metrics]\npushgateway_url = 'gateway:9091'\n": "metrics.pushgateway_url: is not an http://",
}


@pytest.mark.parametrize(("text", "message"), WRONG_IN_FILE.items(), ids=list(WRONG_IN_FILE))
def test_a_mistake_in_the_file_is_named_with_file_and_key(file, text, message):
    path = file(text + table())

    with pytest.raises(ConfigError, match=re.escape(f"{path}: {message}")):
        load(environ={"FINOPS_CONFIG": str(path)})


WRONG_VARIABLES = {
    "FINOPS_INGEST__HORIZON_DAY": ("3", "there is no such setting; did you mean FINOPS_INGEST__H"),
    "FINOPS_INGEST": ("{}", "there is no such setting"),
    "FINOPS_currency": ("EUR", "there is no such setting"),
    "FINOPS_INGEST__HORIZON_DAYS": ("soon", "ingest.horizon_days: Input should be a valid integer"),
    "FINOPS_INGEST__REREAD_HOURS": ("1,24", "is not JSON"),
    "FINOPS_STATE_URL": ("sqlite:///:memory:", "state_url: is SQLite without a file"),
    "FINOPS_METRICS__PUSHGATEWAY_URL": ("http://gw:0", "metrics.pushgateway_url: has port 0"),
    "FINOPS_IS_DEMO": ("maybe", "is_demo: Input should be a valid boolean"),
    "FINOPS_DATA_DIR": ("", "is empty; unset it for the default"),
    "FINOPS_CLUSTER_PROD_TOKEN": ("s3cret", "no cluster has this name"),
    "FINOPS_CLUSTER_PROD_EU_TOKEN": ("", "the token of cluster prod-eu is empty"),
    "FINOPS_CLUSTER_PROD_EU_PROMETHEUS_TOKEN": ("schlüssel", "the token of cluster prod-eu is not"),
}


@pytest.mark.parametrize(("name", "wrong"), WRONG_VARIABLES.items(), ids=list(WRONG_VARIABLES))
def test_a_mistake_in_a_variable_is_named(name, wrong):
    text, message = wrong

    with pytest.raises(ConfigError, match=re.escape(f"{name}: {message}")):
        load(environ={"FINOPS_CLUSTERS": CLUSTERS, name: text})


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


def test_a_horizon_too_short_for_kubecost_is_refused():
    environ = cluster(opencost_url="http://kubecost:9090/model")
    with pytest.raises(ConfigError, match="2 days are too short .* whose last is 49"):
        load(environ=environ | {"FINOPS_INGEST__HORIZON_DAYS": "2"})


def test_a_horizon_too_short_names_the_variable():
    for name, text in {"HORIZON_DAYS": "1", "REREAD_HOURS": "[400]"}.items():
        with pytest.raises(ConfigError, match=rf"^FINOPS_INGEST__{name}: .*never become final"):
            load(environ={"FINOPS_CLUSTERS": CLUSTERS, f"FINOPS_INGEST__{name}": text})


def test_hosts_may_be_addresses_and_full_names():
    for host in ("[::1]", "10.0.0.1", "a_b.svc.cluster.local.", "köln.example"):
        url = f"http://{host}:9003"
        assert load(environ=cluster(opencost_url=url)).clusters[0].opencost_url == url


def test_state_may_be_a_file_of_sqlite_anywhere():
    for url in ("sqlite:///state.db", "sqlite+pysqlite:////srv/state.db?timeout=9"):
        environ = {"FINOPS_CLUSTERS": CLUSTERS, "FINOPS_STATE_URL": url}
        assert load(environ=environ).database_url() == url


def test_all_mistakes_are_told_at_once(file):
    path = file("colour = 1\ncurrency = 3\n" + table(verify="yes"))

    with pytest.raises(ConfigError) as refused:
        load(path, {})

    keys = [line.split(": ")[1] for line in str(refused.value).splitlines()]
    assert sorted(keys) == ["clusters.0.verify", "colour", "currency"]


def test_what_is_not_toml_is_refused(file):
    with pytest.raises(ConfigError, match=r"finops\.toml: cannot be read as TOML"):
        load(file("a ="), {})


# --- secrets ---------------------------------------------------------------------------------


def tokens(one):
    """What a cluster's two tokens hide."""
    hidden = (one.opencost_token, one.prometheus_token)
    return tuple(token and token.get_secret_value() for token in hidden)


def test_tokens_come_from_variables(file):
    file(table())

    (one,) = load(
        environ={
            "FINOPS_CLUSTER_PROD_EU_TOKEN": "for-opencost",
            "FINOPS_CLUSTER_PROD_EU_PROMETHEUS_TOKEN": "for-prometheus",
        }
    ).clusters

    assert tokens(one) == ("for-opencost", "for-prometheus")


def test_tokens_come_from_mounted_files(file):
    mounted = file("for-opencost\n", "token")

    (one,) = load(environ=cluster(opencost_token_file=str(mounted))).clusters

    assert tokens(one) == ("for-opencost", None)


def test_a_mounted_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="opencost_token_file of cluster prod-eu: .*absent"):
        load(environ=cluster(opencost_token_file=str(tmp_path / "absent")))


def test_one_of_variable_and_file_gives_the_token(file):
    variables = cluster(opencost_token_file=str(file("x", "token")))

    with pytest.raises(ConfigError, match="FINOPS_CLUSTER_PROD_EU_TOKEN: cluster prod-eu has"):
        load(environ={**variables, "FINOPS_CLUSTER_PROD_EU_TOKEN": "y"})


def test_no_secret_is_shown():
    settings = load(
        environ={
            "FINOPS_CLUSTERS": CLUSTERS,
            "FINOPS_CLUSTER_PROD_EU_TOKEN": "s3cret",
            "FINOPS_STATE_URL": "postgresql://me:s3cret@db/finops",
        }
    )

    assert "s3cret" not in repr(settings) + str(settings.shown())
    assert settings.shown()["clusters.0.opencost_token"] == "**********"
    assert settings.database_url() == "postgresql://me:s3cret@db/finops"


@pytest.mark.parametrize(
    "variables",
    [
        {"FINOPS_CLUSTERS": json.dumps([{**CLUSTER, "password": "s3cret"}])},
        {"FINOPS_CLUSTERS": json.dumps([{**CLUSTER, "opencost_token": "s3cret"}])},
        {"FINOPS_CLUSTERS": json.dumps([{**CLUSTER, "opencost_url": "http://me:s3cret@oc"}])},
        {"FINOPS_CLUSTERS": CLUSTERS, "FINOPS_METRICS__PUSHGATEWAY_URL": "http://me:s3cret@gw"},
    ],
)
def test_no_error_shows_a_secret(variables):
    with pytest.raises(ConfigError) as refused:
        load(environ=variables)

    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "given",
    [
        {"kubernetes_access": "in-cluster"},
        {"kubernetes_access": "kubeconfig"},
        {"kubernetes_access": "kubeconfig", "kubeconfig_file": "k", "kubeconfig_context": "prod"},
    ],
)
def test_a_kubernetes_api_is_reached_in_one_of_two_ways(given):
    (one,) = load(environ=cluster(**given)).clusters

    assert one.kubernetes_access == given["kubernetes_access"]
    assert one.kubeconfig_context == given.get("kubeconfig_context", "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kubernetes_access": "kubectl"}, "kubernetes_access"),
        ({"kubeconfig_file": "k"}, "kubeconfig_file is of no use without"),
        (
            {"kubernetes_access": "in-cluster", "kubeconfig_context": "prod"},
            "kubeconfig_context is of no use without",
        ),
    ],
)
def test_a_kubeconfig_is_refused_where_none_is_used(given, message):
    with pytest.raises(ConfigError, match=message):
        load(environ=cluster(**given))


@pytest.mark.parametrize(
    ("one", "other", "is_refused"),
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
def test_two_clusters_have_two_apis(one, other, is_refused):
    second = {**CLUSTER, "name": "second", "opencost_url": "http://second", **other}
    variables = {"FINOPS_CLUSTERS": json.dumps([{**CLUSTER, **one}, second])}

    if is_refused:
        with pytest.raises(ConfigError, match="two clusters have the same Kubernetes API"):
            load(environ=variables)
    else:
        assert len(load(environ=variables).clusters) == 2


# --- documentation ---------------------------------------------------------------------------


def test_the_example_loads_and_changes_nothing_but_the_clusters():
    example = load(ROOT / "finops.example.toml", {})

    keys = {"name", "opencost_url", "prometheus_url"}
    (only,) = example.clusters
    assert example == load(environ={"FINOPS_CLUSTERS": f"[{only.model_dump_json(include=keys)}]"})


def test_the_example_documents_each_key_once_with_its_default():
    documented = list(_example_keys())

    assert [key for key, _, _ in documented] == [key.key for key in describe() if not key.is_secret]
    for key, (_, value, comment) in zip(describe(), documented, strict=False):
        assert key.text in comment
        assert not key.unit or f"[{key.unit}]" in comment
        assert "[]" in key.key or value == _plain(key.default)


def test_every_key_says_what_it_is_for():
    assert [key.key for key in describe() if not key.text] == []


@pytest.mark.parametrize("unit", ["days", "hours", "minutes", "seconds"])
def test_a_duration_names_its_unit(unit):
    named = {key.key for key in describe() if key.key.endswith(f"_{unit}")}

    assert named == {key.key for key in describe() if key.unit == unit}


def _example_keys():
    """Key, value and comment of each setting, whether or not it stands in a comment."""
    sections = {key.key.rpartition(".")[0] for key in describe()}
    known = {section.replace("[]", ""): section for section in sections}
    section, comment = "", ""
    for line in (ROOT / "finops.example.toml").read_text().splitlines():
        if match := re.fullmatch(r"(?:# )?\[+([a-z.]+)(\]+)", line):
            section, comment = f"{known[match[1]]}.", ""
            assert section.endswith("[].") == (match[2] == "]]")
        elif match := re.fullmatch(r"(?:# )?([a-z_]+) = (.+)", line):
            value = tomllib.loads(f"value = {match[2]}")["value"]
            yield section + match[1], value, comment
            comment = ""
        else:
            comment = f"{comment} {line.removeprefix('#').strip()}" if line else ""


def _plain(default: object) -> object:
    """A default as TOML gives it."""
    if isinstance(default, tuple):
        return list(default)
    return default if isinstance(default, bool | int | str) else str(default).strip("*")


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from([key.variable for key in describe() if not key.is_secret]), JSON)
def test_a_variable_is_taken_or_refused_by_its_name(name, value):
    said = outcome({"FINOPS_CLUSTERS": CLUSTERS, name: json.dumps(value)})

    assert said.startswith(("taken", name))


def outcome(environ: dict[str, str]) -> str:
    try:
        load(environ=environ)
    except ConfigError as refused:
        return str(refused)
    return "taken"


@given(
    st.dictionaries(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]*", fullmatch=True), st.text(max_size=9))
)
@example({"cluster": 'a"b\\c\n'})
def test_matchers_are_quoted_for_promql(matchers):
    (one,) = load(environ=cluster(prometheus_matchers=matchers)).clusters

    text = one.promql_matchers()

    found = re.findall(r'([a-zA-Z_]\w*)=("(?:[^"\\]|\\.)*")', text)
    assert {label: json.loads(quoted) for label, quoted in found} == matchers
