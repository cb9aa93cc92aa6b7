import csv
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from focus_data_toolkit.io.row_source import read_source_rows
from focus_data_toolkit.model import lint_focus_1_4_structure

from finops_pipeline.destinations.table_file import KINDS
from finops_pipeline.errors import QueryError
from finops_pipeline.queries.costs import Days
from finops_pipeline.queries.export import FOCUS, LEVELS, Export, read_export, require_whole
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline_tests.destinations.sheets import sheet

EVERY = Days(date(2020, 1, 1), date(2100, 1, 1))
DATASET = "Cost and Usage"


@pytest.fixture
def connection(published_demo):
    with open_published(published_demo / "data") as opened:
        yield opened


@pytest.fixture
def published(connection):
    """Total cost of all days."""
    ((total,),) = ask(connection, "select sum(total_cost) from costs.daily").rows
    return total


def write_export(connection, level: str, kind: str, folder: Path) -> tuple[Export, Path]:
    path = folder / f"it.{kind}"
    export = read_export(connection, level, EVERY, KINDS[kind].most_rows)
    KINDS[kind].write(path, export.rows, export.about)
    return export, path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("level", LEVELS)
def test_csv_adds_up_to_what_was_published(connection, published, tmp_path, level):
    export, path = write_export(connection, level, "csv", tmp_path)

    rows = rows_of(path)
    assert sum(Decimal(row["total_cost"]) for row in rows) == published == export.total
    assert export.row_count == len(rows)
    require_whole(connection, export, EVERY)


@pytest.mark.parametrize("level", LEVELS)
def test_parquet_adds_up_to_what_was_published(connection, published, tmp_path, level):
    _, path = write_export(connection, level, "parquet", tmp_path)

    assert sum(pq.read_table(path)["total_cost"].to_pylist()) == published


def test_excel_adds_up_to_what_was_published(connection, published, tmp_path):
    _, path = write_export(connection, "daily", "xlsx", tmp_path)

    heading, *rows = sheet(path)
    cost = [text for _, text in heading].index("total_cost")
    present = [Decimal(row[cost][1]).quantize(Decimal("1e-10")) for row in rows]
    about = {name: value for (_, name), (_, value) in sheet(path, 2)}
    assert sum(present) == published == Decimal(about["total cost"])
    assert about["currency"] == "USD"
    assert about["data"] == "demo: a pretended cluster"


def test_daily_rows_are_those_of_the_table(connection, tmp_path):
    _, path = write_export(connection, "daily", "parquet", tmp_path)
    expected = ask(connection, "from costs.daily order by all")

    assert pq.read_table(path).to_pylist() == expected.dicts()


def test_monthly_rows_sum_the_days_of_a_month(connection, tmp_path):
    _, path = write_export(connection, "monthly", "parquet", tmp_path)
    rows = {(row["month"], row["workload"], row["team"]) for row in pq.read_table(path).to_pylist()}
    expected = ask(
        connection,
        "select distinct cast(date_trunc('month', day) as date), workload, team from costs.daily",
    )

    assert rows == set(expected.rows)
    assert {row["day_count"] for row in pq.read_table(path).to_pylist()} <= {1, 2, 3}  # of 36 hours


def test_what_a_file_cannot_hold_is_refused_with_advice(connection):
    with pytest.raises(QueryError, match=r"these are \d+ rows, of which the file holds 5: take f"):
        read_export(connection, "daily", EVERY, 5)


def test_days_without_costs_are_refused(connection):
    with pytest.raises(QueryError, match="there are no costs of 2020-01-01"):
        read_export(connection, "daily", Days(date(2020, 1, 1), date(2020, 1, 1)))


def test_rows_that_do_not_add_up_are_noticed(connection, published):
    export = read_export(connection, "daily", EVERY)
    export.rows.read_next_batch()
    export.total -= Decimal("0.0000000001")

    with pytest.raises(QueryError, match=rf"the rows add up to .*, and not to {published}"):
        require_whole(connection, export, EVERY)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_focus_passes_the_lint_and_adds_up(connection, published, tmp_path, kind):
    _, path = write_export(connection, FOCUS, kind, tmp_path)

    rows = read_source_rows(str(path), dataset=DATASET)
    report = lint_focus_1_4_structure(DATASET, rows)
    assert report.messages() == []
    assert report.row_count == len(rows) > 100
    for cost in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"):
        assert sum(Decimal(row[cost]) for row in rows) == published


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("ServiceCategory", "", "null_not_allowed"),
        ("ServiceSubcategory", "Block Storage", "wrong_parent_category"),
        ("BillingCurrency", "EURO", "bad_currency"),
        ("ChargePeriodStart", "2026-03-01", "bad_datetime"),
        ("ConsumedUnit", "", "quantity_without_unit"),
        ("Tags", "team=search", "bad_json"),
    ],
)
def test_the_lint_notices_a_mistake(connection, tmp_path, column, value, rule):
    _, path = write_export(connection, FOCUS, "csv", tmp_path)
    row = next(row for row in rows_of(path) if row["x_Resource"] == "cpu")

    report = lint_focus_1_4_structure(DATASET, [{**row, column: value}])

    assert (column, rule) in {(violation.column, violation.rule) for violation in report.violations}


def test_focus_says_of_a_charge_what_the_table_does(connection, tmp_path):
    _, path = write_export(connection, FOCUS, "csv", tmp_path)
    ((cost, hours),) = ask(
        connection,
        "select sum(memory_cost), sum(memory_billed_byte_hours) / 1024 ** 3 from costs.daily"
        " where cost_kind = 'idle'",
    ).rows

    rows = [
        row for row in rows_of(path) if (row["x_CostKind"], row["x_Resource"]) == ("idle", "memory")
    ]

    assert sum(Decimal(row["BilledCost"]) for row in rows) == cost
    assert float(sum(Decimal(row["PricingQuantity"]) for row in rows)) == pytest.approx(hours)
    assert {(row["PricingUnit"], row["ServiceCategory"]) for row in rows} == {
        ("GiB-Hours", "Compute")
    }
    assert all(re.fullmatch(r"\d{4}-\d\d-01T00:00:00Z", row["BillingPeriodStart"]) for row in rows)
