"""The bill folder: files come, change and go; the lake keeps what they said, and counts it once."""

import gzip
import shutil
from datetime import timedelta
from decimal import Decimal

import pytest
from dagster import AssetKey

from finops_pipeline import settings as configuration
from finops_pipeline.errors import LakeDamaged
from finops_pipeline.ingest.bill import read_bill
from finops_pipeline.installation.context import open_installation
from finops_pipeline.operations.backup import back_up, restore
from finops_pipeline.operations.compaction import sweep
from finops_pipeline.operations.doctor.data import examine_data
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.operations.repair import repair
from finops_pipeline.operations.retention import freeze_old_days
from finops_pipeline.units import DAY
from finops_pipeline_tests.installation.homes import Sources, at, home
from finops_pipeline_tests.operations.test_rebuild_ledger import lose_ledger
from finops_pipeline_tests.sources.test_focus import charges

NOWHERE = "http://127.0.0.1:9"
NOW = at(4)
BILL = """
bill_accounts = ["42"]

[bill]
folder = "{folder}"
"""
SEPTEMBER = {"BillingPeriodStart": "2026-09-01T00:00:00Z"}


@pytest.fixture
def made(tmp_path):
    with home(tmp_path, {"prod": Sources(NOWHERE, NOWHERE)}) as installation:
        settings = tmp_path / "finops.toml"
        settings.write_text(settings.read_text() + BILL.format(folder=tmp_path / "bill"))
        (tmp_path / "bill").mkdir()
        yield installation


def opened(made, now=NOW, **more):
    settings = configuration.load(made.folder / "finops.toml", {})
    return open_installation(settings, lambda: now, **more)


def write(made, name, *costs, currency="USD", **more):
    """A file of the bill with some charges."""
    rows = [{"BilledCost": cost, "BillingCurrency": currency, **more} for cost in costs]
    path = made.folder / "bill" / name
    path.parent.mkdir(exist_ok=True, parents=True)
    text = charges(*rows).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


def remove(made, name):
    (made.folder / "bill" / name).unlink()


def tick(made, now=NOW):
    with opened(made, now) as installation:
        read_bill(installation)
        installation.publish()


def bill(made):
    """Billed by month, as people see it."""
    rows = made.ask("from costs.bill_monthly order by all")
    return {f"{row['month']:%Y-%m}": row["billed_cost"] for row in rows if row["cluster"] == "prod"}


def restatements(made):
    query = "select old_total, new_total, reason from core.restatement order by restated_at"
    return [tuple(row.values()) for row in made.ask(query)]


def test_the_files_of_all_folders_are_the_bill(made):
    write(made, "2026-10/part-1.csv", "1", "0.5")
    write(made, "2026-10/part-2.csv.gz", "2")
    write(made, "2026-09.csv", "4", **SEPTEMBER)
    write(made, "notes.txt", "100")
    write(made, ".half.csv", "100")
    tick(made)

    assert bill(made) == {"2026-09": 4, "2026-10": Decimal("3.5")}
    shown = made.ask("select path, billing_months, failure from core.bill_file order by all")
    assert [tuple(row.values()) for row in shown] == [
        ("2026-09.csv", "2026-09", None),
        ("2026-10/part-1.csv", "2026-10", None),
        ("2026-10/part-2.csv.gz", "2026-10", None),
    ]


def test_a_bill_that_does_not_change_is_not_read_again(made):
    write(made, "a.csv", "1")
    tick(made)
    files = made.lake_files()

    (made.folder / "bill" / "a.csv").touch()
    tick(made, NOW + DAY)

    assert made.lake_files() == files
    (row,) = made.ask("select read_count from core.window where table_name = 'raw.bill'")
    assert row == {"read_count": 1}


def test_a_replaced_file_replaces_its_charges_and_the_change_is_kept(made):
    write(made, "a.csv", "1")
    write(made, "b.csv", "2")
    tick(made)
    write(made, "a.csv", "1", "1.25")
    tick(made, NOW + DAY)

    assert bill(made) == {"2026-10": Decimal("4.25")}
    assert restatements(made) == [(3, Decimal("4.25"), "the files of the bill changed")]


def test_the_same_file_twice_counts_once(made):
    write(made, "a.csv", "1")
    write(made, "copy/a.csv", "1")
    write(made, "packed.csv.gz", "1")
    tick(made)
    assert bill(made) == {"2026-10": 1}

    remove(made, "a.csv")
    tick(made, NOW + timedelta(hours=1))
    assert bill(made) == {"2026-10": 1}


def test_a_file_that_moves_to_another_month_leaves_its_own(made):
    write(made, "a.csv", "1")
    write(made, "b.csv", "2", **SEPTEMBER)
    write(made, "c.csv", "4", **SEPTEMBER)
    tick(made)
    write(made, "c.csv", "4")
    tick(made, NOW + DAY)

    assert bill(made) == {"2026-09": 2, "2026-10": 5}


def test_a_part_that_is_removed_beside_new_ones_does_not_count(made):
    write(made, "a.csv", "1")
    write(made, "b.csv", "2")
    tick(made)
    write(made, "a.csv", "3")
    tick(made, NOW + 2 * DAY)
    remove(made, "b.csv")
    tick(made, NOW + 2 * DAY + timedelta(hours=1))

    assert bill(made) == {"2026-10": 3}


def test_a_bill_stays_when_its_files_are_cleared_away(made):
    write(made, "a.csv", "1")
    write(made, "b.csv", "2")
    tick(made)
    remove(made, "a.csv")
    tick(made, NOW + 2 * DAY)
    remove(made, "b.csv")
    tick(made, NOW + 3 * DAY)
    shutil.rmtree(made.folder / "bill")
    tick(made, NOW + 4 * DAY)

    assert bill(made) == {"2026-10": 3}
    assert restatements(made) == []
    assert made.ask("from core.bill_file") == []


def test_a_file_that_is_refused_is_told_and_the_others_count(made):
    write(made, "a.csv", "1")
    write(made, "b.csv", "2", currency="EUR")
    tick(made)

    assert bill(made) == {"2026-10": 1}
    (row,) = made.ask("select path, failure from core.bill_file where failure is not null")
    assert row == {"path": "b.csv", "failure": "is in EUR, and this installation in USD"}


def test_what_a_file_said_counts_until_its_new_version_is_whole(made):
    write(made, "a.csv", "1")
    write(made, "b.csv", "2")
    tick(made)
    whole = (made.folder / "bill" / "b.csv").read_bytes()
    (made.folder / "bill" / "b.csv").write_bytes(whole[:-60])
    write(made, "a.csv", "4")
    tick(made, NOW + DAY)
    assert bill(made) == {"2026-10": 6}

    write(made, "b.csv", "8")
    tick(made, NOW + 2 * DAY)
    assert bill(made) == {"2026-10": 12}
    assert made.ask("from core.bill_file where failure is not null") == []


def test_what_a_refused_file_said_does_not_count_twice_under_another_name(made):
    write(made, "a.csv", "1")
    tick(made)
    write(made, "b.csv", "1")
    write(made, "a.csv", "NaN")
    tick(made, NOW + DAY)

    assert bill(made) == {"2026-10": 1}


def test_without_a_folder_nothing_is_read_and_nothing_is_lost(made):
    write(made, "a.csv", "1")
    tick(made)
    settings = made.folder / "finops.toml"
    settings.write_text(settings.read_text().replace(str(made.folder / "bill"), ""))
    tick(made, NOW + DAY)

    assert bill(made) == {"2026-10": 1}


def test_a_bill_outlives_raw_rows_ledger_and_installation(made, tmp_path):
    write(made, "a.csv", "1", **SEPTEMBER)
    tick(made)
    shutil.rmtree(made.folder / "bill")
    later = NOW + 500 * DAY
    with opened(made, later) as installation:
        assert freeze_old_days(installation) == []
        sweep(installation.lake, installation.state.ledger, later, later + DAY)
        back_up(installation.settings, tmp_path / "backup")
    lose_ledger(made.folder)
    with opened(made, later, is_ledger_lost=True) as installation:
        rebuild_ledger(installation)
    tick(made, later)
    assert bill(made) == {"2026-09": 1}

    shutil.rmtree(made.folder / "data")
    restore(configuration.load(made.folder / "finops.toml", {}), tmp_path / "backup")
    tick(made, later)
    assert bill(made) == {"2026-09": 1}


def test_a_damaged_file_of_the_lake_is_read_again_from_the_folder(made):
    write(made, "a.csv", "1")
    tick(made)
    with opened(made) as installation:
        (file,) = installation.state.ledger.current_files()
        installation.lake.absolute(file.path).write_bytes(b"damaged")
        repair(installation, LakeDamaged(file.path, "is damaged"))
    tick(made, NOW + DAY)

    assert bill(made) == {"2026-10": 1}


def test_accounts_that_change_compute_the_past_anew(made):
    write(made, "a.csv", "1")
    tick(made)
    settings = made.folder / "finops.toml"
    settings.write_text(settings.read_text().replace('["42"]', '["43"]'))
    tick(made)

    assert bill(made) == {"2026-10": 0}
    (row,) = made.ask("from costs.bill_monthly where cluster = '(no cluster)'")
    assert row["billed_cost"] == 1


def doctor(made):
    with made.settings():
        settings = configuration.load()
    return {finding.check: finding for finding in examine_data(settings, NOW)}["bill"]


def test_the_doctor_says_what_is_wrong_with_the_bill(made):
    write(made, "a.csv", "1")
    tick(made)
    assert (doctor(made).status, doctor(made).message) == ("ok", "1 files were read")

    write(made, "b.csv", "1", currency="EUR")
    tick(made)
    assert doctor(made).status == "failed"
    assert "1 of 2 files: b.csv: is in EUR" in doctor(made).message

    shutil.rmtree(made.folder / "bill")
    assert (doctor(made).status, doctor(made).fix) == (
        "warning",
        "mount it, or correct bill.folder; what was read of it stays",
    )


def test_a_tick_takes_up_the_bill_and_shows_what_it_refused(made):
    write(made, "a.csv", "1")
    write(made, "b.csv", "1", currency="EUR")

    ticked = made.tick(NOW)

    assert bill(made) == {"2026-10": 1}
    assert "b.csv" in "\n".join(ticked.checks["bill_files_read"])
    key = AssetKey(["raw", "bill"])
    held = made.instance.get_latest_materialization_event(key).asset_materialization.metadata
    assert (held["rows_held"].value, held["months_held"].value) == (1, 1)
