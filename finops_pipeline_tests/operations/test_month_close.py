"""A month is closed when it may be; its statement outlives everything but the lake."""

from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner

from finops_pipeline.cli.main import main
from finops_pipeline.errors import CloseRefused, LakeDamaged, LakeError
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.source_registry import OPENCOST
from finops_pipeline.operations.compaction import sweep
from finops_pipeline.operations.month_close import close_month, next_month
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.operations.repair import repair
from finops_pipeline.operations.retention import freeze_old_days
from finops_pipeline.units import DAY, day_start, window_start
from finops_pipeline_tests.ingest.clusters import home_of, pretended
from finops_pipeline_tests.installation.homes import at
from finops_pipeline_tests.operations.damaged_homes import filled_home, open_data, own_home, publish
from finops_pipeline_tests.operations.ledgers import lose_ledger

__all__ = ["filled_home", "own_home"]

NOVEMBER = date(2026, 11, 1)
DECEMBER = datetime(2026, 12, 2, 12, tzinfo=UTC)
STATEMENT = "from costs.statement where statement_month = '2026-11-01' order by all"


def closed(own_home, now=DECEMBER):
    """Rows of the statement after it was closed and published."""
    with open_data(own_home, now) as installation:
        close_month(installation, NOVEMBER, is_forced=True)
        installation.publish()
    return own_home.ask(STATEMENT)


def test_a_closed_statement_is_what_was_published(own_home):
    open_rows = own_home.ask(STATEMENT)
    (cost,) = own_home.ask("select sum(total_cost) as cost from costs.attributed_daily")
    with open_data(own_home, DECEMBER) as installation:
        assert close_month(installation, NOVEMBER, is_forced=True) == (len(open_rows), cost["cost"])
        installation.publish()

    assert own_home.ask(STATEMENT) == [{**row, "is_closed": True} for row in open_rows]
    assert cost["cost"] > 0


def test_a_month_that_is_not_over_is_refused(own_home):
    with (
        open_data(own_home, datetime(2026, 11, 30, 23, 59, tzinfo=UTC)) as installation,
        pytest.raises(CloseRefused, match="2026-11 is not over"),
    ):
        close_month(installation, NOVEMBER, is_forced=True)


def test_windows_that_are_not_final_are_named(own_home):
    with open_data(own_home, DECEMBER) as installation, pytest.raises(CloseRefused) as refused:
        close_month(installation, NOVEMBER)

    # 4 hours of the newest day were read, and nothing of the days after it.
    assert "windows of 2026-11 are not final: 2026-11-" in str(refused.value)
    assert "alpha raw.allocation (" in str(refused.value)
    assert "use --force" in str(refused.value)


def test_a_month_whose_windows_are_final_or_lost_closes_without_force(own_home):
    with open_data(own_home, DECEMBER) as installation:
        ledger = installation.state.ledger
        tables = {file.table_name for file in ledger.current_files()}
        ledger.lose([*tables], "alpha", at(0), datetime(2026, 12, 1, tzinfo=UTC), DECEMBER, "gone")
        publish(installation)

        assert close_month(installation, NOVEMBER)[0] > 0


def test_a_month_is_closed_once(own_home):
    closed(own_home)

    with (
        open_data(own_home, DECEMBER) as installation,
        pytest.raises(CloseRefused, match="2026-11 was closed at 2026-12-02 12:00 UTC"),
    ):
        close_month(installation, NOVEMBER, is_forced=True)


def test_a_month_without_cost_is_refused(own_home):
    with (
        open_data(own_home, DECEMBER) as installation,
        pytest.raises(CloseRefused, match="no cost of 2026-10 is published"),
    ):
        close_month(installation, date(2026, 10, 1))


def test_what_changes_in_a_closed_month_is_adjusted_in_the_next(own_home):
    before = closed(own_home)
    (known,) = own_home.ask("select sum(total_cost) as cost from costs.daily")
    with open_data(own_home, DECEMBER) as installation:
        oldest = next(
            file
            for file in installation.state.ledger.current_files()
            if "raw.allocation" in file.path
        )
        installation.state.ledger.discard_file(oldest.path, DECEMBER, "it is damaged", {})
        installation.publish()

    assert own_home.ask(STATEMENT) == before
    (now,) = own_home.ask("select sum(total_cost) as cost from costs.daily")
    (adjusted,) = own_home.ask(
        "select statement_month, cost_month, kind, is_closed, sum(total_cost) as cost"
        " from costs.statement where kind = 'adjustment' group by all"
    )
    assert adjusted == {
        "statement_month": date(2026, 12, 1),
        "cost_month": NOVEMBER,
        "kind": "adjustment",
        "is_closed": False,
        "cost": now["cost"] - known["cost"],
    }
    assert adjusted["cost"] != 0


def test_a_statement_outlives_raw_rows_warehouse_and_ledger(own_home):
    before = closed(own_home)
    later = DECEMBER + 450 * DAY
    with open_data(own_home, later) as installation:
        assert freeze_old_days(installation)
        sweep(installation.lake, installation.state.ledger, later, later + DAY)
        installation.warehouse_path.unlink()
    lose_ledger(own_home.folder)
    with open_data(own_home, later, is_ledger_lost=True) as installation:
        rebuild_ledger(installation)
        installation.publish()

    assert own_home.ask(STATEMENT) == before


def test_a_damaged_statement_is_never_given_up(own_home):
    closed(own_home)
    with open_data(own_home, DECEMBER) as installation:
        files = installation.state.ledger.current_files()
        (file,) = [file for file in files if "statement" in file.path]
        installation.lake.absolute(file.path).write_bytes(b"damaged")

        with pytest.raises(LakeError, match="what was claimed, which no source can say again"):
            repair(installation, LakeDamaged(file.path, "is damaged"))


def test_the_month_after_december_is_january():
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 1)) == date(2026, 2, 1)


def test_the_command_closes_a_month_that_is_over(tmp_path, monkeypatch):
    now = datetime(2026, 10, 1, 1, 5, tzinfo=UTC)
    with pretended("alpha") as clusters, home_of(tmp_path, clusters) as october:
        with open_data(october, now) as installation:
            read_due(OPENCOST, installation, day_start(now.date()), window_start(now))
            installation.publish()
        monkeypatch.setenv("FINOPS_CONFIG", str(october.folder / "finops.toml"))
        (known,) = october.ask("select sum(total_cost) as cost from costs.daily")

        refused = CliRunner().invoke(main, ["close", "2026-10"])
        assert refused.exit_code == 1
        assert "windows of 2026-10 are not final: 2026-10-01 00:00 alpha" in refused.stderr
        assert "..." in refused.stderr

        result = CliRunner().invoke(main, ["close", "2026-10", "--force"])
        assert result.exit_code == 0, result.output
        assert f"{known['cost']:.2f} USD" in result.stdout
