"""Settings that the installation hands to SQL."""

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.catalog.tables import tables
from finops_pipeline.installation.context import Installation
from finops_pipeline.lake.files import Lake
from finops_pipeline.settings import Settings
from finops_pipeline.state.database import open_state
from finops_pipeline.state.schedule import Schedule
from finops_pipeline.units import HOUR
from finops_pipeline_tests.sql.data import PARAMETERS

CLUSTER = {"name": "prod", "opencost_url": "http://oc:9003", "prometheus_url": "http://prom"}
OF_A_RANGE = {"start", "end", "day"}


def test_sql_may_name_settings_and_finds_each_that_it_names(tmp_path):
    sections = {
        "sharing": {"idle": "by_node", "shared": "even"},
        "calendar": {"fiscal_year_start_month": 10},
    }
    settings = Settings.model_validate({"clusters": [CLUSTER], **sections})
    schedule = Schedule(HOUR, (HOUR,))
    with open_state("sqlite://", is_demo=False, currency="USD", schedule=schedule) as state:
        parameters = Installation(settings, Lake(tmp_path), state).parameters()

    assert parameters["idle_sharing"] == "by_node"
    assert parameters["shared_sharing"] == "even"
    assert parameters["fiscal_year_start_month"] == 10
    assert parameters["container_days"] == 90
    folders = ("checks", "checks/blocking", "metrics")
    all_files = [
        *tables().values(),
        *(file for folder in folders for file in sql_files(folder).values()),
    ]
    names = {name for file in all_files for name in file.parameters}
    assert names <= parameters.keys() | OF_A_RANGE
    assert PARAMETERS.keys() <= parameters.keys() | OF_A_RANGE
