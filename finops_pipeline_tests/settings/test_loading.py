"""Values come from file and variables; what is wrong is named with where it stands."""

import json
import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings import describe, load, load_data_dir
from finops_pipeline_tests.settings.written import CLUSTER, CLUSTERS, cluster, table, tokens

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
    file("[ingest]\nlookback_days = 30\nsettle_minutes = 7\n" + table())

    ingest = load(environ={"FINOPS_INGEST__LOOKBACK_DAYS": "3"}).ingest

    assert (ingest.lookback_days, ingest.settle_minutes) == (3, 7)


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


@pytest.mark.parametrize("folder", ["/srv/prod*", "/srv/what?", "data/*"])
def test_a_data_folder_that_is_a_pattern_is_refused(folder):
    with pytest.raises(ConfigError, match=r"no \* and no \? in its path"):
        load_data_dir(environ={"FINOPS_DATA_DIR": folder})


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
    "[ingest]\nlookback_day = 1\n": "ingest.lookback_day: there is no such setting",
    "[ingest]\nlookback_days = '14'\n": "ingest.lookback_days: Input should be a valid integer",
    "[ingest]\nlookback_days = 14.5\n": "ingest.lookback_days: Input should be a valid integer",
    "[ingest]\nlookback_days = true\n": "ingest.lookback_days: Input should be a valid integer",
    "[ingest]\nlookback_days = 0\n": "ingest.lookback_days: Input should be greater than",
    "[ingest]\nreread_hours = [24, 1]\n": "ingest.reread_hours: should be whole hours that rise",
    "[ingest]\nreread_hours = []\n": "ingest.reread_hours: should be whole hours that rise",
    "[ingest]\nreread_hours = ['1']\n": "ingest.reread_hours.0: Input should be a valid integer",
    "[ingest]\nlookback_days = 1\n": "ingest.lookback_days: 1 days are too short for ingest.reread",
    "[ingest]\nreread_hours = [1, 335]\n": "ingest.lookback_days: 14 days are too short",
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
    "FINOPS_INGEST__LOOKBACK_DAY": ("3", "there is no such setting; did you mean FINOPS_INGEST__L"),
    "FINOPS_INGEST": ("{}", "there is no such setting"),
    "FINOPS_currency": ("EUR", "there is no such setting"),
    "FINOPS_INGEST__LOOKBACK_DAYS": (
        "soon",
        "ingest.lookback_days: Input should be a valid integer",
    ),
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

    assert "s3cret" not in repr(settings) + str(settings.masked())
    assert settings.masked()["clusters.0.opencost_token"] == "**********"
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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from([key.variable for key in describe() if not key.is_secret]), JSON)
def test_a_variable_is_taken_or_refused_by_its_name(name, value):
    text = outcome({"FINOPS_CLUSTERS": CLUSTERS, name: json.dumps(value)})

    assert text.startswith(("taken", name))


def outcome(environ: dict[str, str]) -> str:
    try:
        load(environ=environ)
    except ConfigError as refused:
        return str(refused)
    return "taken"
