import pytest

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings import describe, load, loading
from finops_pipeline.settings.renamed import RENAMED
from finops_pipeline_tests.settings.written import cluster, table


@pytest.fixture(autouse=True)
def no_warning_yet():
    """Forget the warnings of other tests: each is logged once per process."""
    loading._warn.cache_clear()


def test_former_names_are_no_settings_any_more():
    names = {key.key for key in describe()}

    assert not RENAMED.keys() & names
    assert names >= set(RENAMED.values())


def test_a_file_with_a_former_name_is_understood_and_says_so(file, caplog):
    path = file("[ingest]\nhorizon_days = 3\n" + table())

    assert load(path, {}).ingest.lookback_days == load(path, {}).ingest.lookback_days == 3
    assert caplog.messages == [
        f"{path}: ingest.horizon_days is now ingest.lookback_days: rename it"
    ]


def test_a_variable_with_a_former_name_is_understood_and_says_so(caplog):
    settings = load(environ={"FINOPS_INGEST__HORIZON_DAYS": "3", **cluster()})

    assert settings.ingest.lookback_days == 3
    assert caplog.messages == [
        "FINOPS_INGEST__HORIZON_DAYS is now FINOPS_INGEST__LOOKBACK_DAYS: rename it"
    ]


def test_a_variable_with_a_former_name_beats_the_file(file):
    path = file("[ingest]\nlookback_days = 4\n" + table())

    assert load(path, {"FINOPS_INGEST__HORIZON_DAYS": "3"}).ingest.lookback_days == 3


def test_a_setting_under_both_names_is_refused_in_a_file(file):
    path = file("[ingest]\nhorizon_days = 3\nlookback_days = 4\n" + table())

    with pytest.raises(ConfigError, match="give only ingest.lookback_days"):
        load(path, {})


def test_a_setting_under_both_names_is_refused_in_variables():
    environ = {"FINOPS_INGEST__HORIZON_DAYS": "3", "FINOPS_INGEST__LOOKBACK_DAYS": "4"}

    with pytest.raises(ConfigError, match="give only FINOPS_INGEST__LOOKBACK_DAYS"):
        load(environ={**environ, **cluster()})


def test_a_section_that_is_no_table_is_told_as_before(file):
    with pytest.raises(ConfigError, match="ingest: should be a table"):
        load(file("ingest = 3\n" + table()), {})
