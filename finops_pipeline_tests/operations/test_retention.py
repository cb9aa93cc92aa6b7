"""Old days stay in the daily tables, to the last decimal, when their raw rows have gone."""

from dataclasses import replace

from finops_pipeline.installation.recording import window_facts
from finops_pipeline.operations.compaction import sweep
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.operations.retention import freeze_old_days
from finops_pipeline.state.window import CURRENT_NAMES
from finops_pipeline.units import DAY
from finops_pipeline_tests.installation.homes import DAY as RECORDED
from finops_pipeline_tests.operations.damaged_homes import NEXT, filled_home, open_data, own_home
from finops_pipeline_tests.operations.ledgers import lose_ledger

__all__ = ["filled_home", "own_home"]

MUCH_LATER = NEXT + 450 * DAY
KEPT = [
    "costs.daily",
    "costs.node_daily",
    "costs.reconciliation_daily",
    "costs.volume_daily",
    "costs.workload_reconciliation_daily",
    "efficiency.workload_usage_daily",
    "efficiency.workload_daily",  # a view of it
]


def daily_rows(own_home):
    return {name: own_home.ask(f"from {name} order by all") for name in KEPT}


def test_a_frozen_day_stays_when_its_raw_rows_and_the_warehouse_are_gone(own_home):
    before = daily_rows(own_home)
    assert all(before.values())

    with open_data(own_home, MUCH_LATER) as installation:
        assert freeze_old_days(installation) == [RECORDED.date()]
        raw = installation.lake.root / "raw.allocation"
        assert [*raw.rglob("*.parquet")]  # a publication may still name them
        installation.publish()
        assert daily_rows(own_home) == before
        assert own_home.ask("from costs.hourly") == own_home.ask("from raw.allocation") == []

        installation.warehouse_path.unlink()
        sweep(installation.lake, installation.state.ledger, MUCH_LATER, MUCH_LATER + DAY)
        assert not [*raw.rglob("*.parquet")]
        installation.publish()
        assert daily_rows(own_home) == before
        assert freeze_old_days(installation) == []


def test_a_day_that_changed_since_it_was_published_waits(own_home):
    with open_data(own_home, MUCH_LATER) as installation:
        oldest = installation.state.ledger.current_files()[0]
        installation.state.ledger.discard_file(oldest.path, MUCH_LATER, "it is damaged", {})

        assert freeze_old_days(installation) == []

        installation.publish()
        assert freeze_old_days(installation) == [RECORDED.date()]


def test_a_day_that_is_young_enough_stays_as_it_is(own_home):
    with open_data(own_home, NEXT + 399 * DAY) as installation:
        assert freeze_old_days(installation) == []


def test_frozen_days_are_in_a_rebuilt_ledger(own_home):
    before = daily_rows(own_home)
    with open_data(own_home, MUCH_LATER) as installation:
        freeze_old_days(installation)
        sweep(installation.lake, installation.state.ledger, MUCH_LATER, MUCH_LATER + DAY)
    lose_ledger(own_home.folder)

    with open_data(own_home, MUCH_LATER, is_ledger_lost=True) as installation:
        rebuild_ledger(installation)
        installation.publish()

    assert daily_rows(own_home) == before


def test_a_frozen_day_of_a_table_with_a_former_name_is_in_a_rebuilt_ledger(own_home):
    ((former, name),) = CURRENT_NAMES.items()
    before = daily_rows(own_home)
    with open_data(own_home, MUCH_LATER) as installation:
        freeze_old_days(installation)
        sweep(installation.lake, installation.state.ledger, MUCH_LATER, MUCH_LATER + DAY)
        (file,) = (
            kept for kept in installation.state.ledger.current_files() if kept.table_name == name
        )
        (window,) = installation.state.ledger.day([name], file.cluster, file.day).values()
        facts = window_facts([replace(window, table_name=former)])
        rows = {window.window_start: installation.lake.read(file.path)}
        installation.lake.write(former, file.cluster, rows, facts)
        installation.lake.remove([file.path])
    lose_ledger(own_home.folder)

    with open_data(own_home, MUCH_LATER, is_ledger_lost=True) as installation:
        assert rebuild_ledger(installation)[1] == []
        installation.publish()

    assert daily_rows(own_home) == before
