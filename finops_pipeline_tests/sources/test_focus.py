"""FOCUS files as clouds write them, and as they break."""

import csv
import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import ServerMalformed
from finops_pipeline.sources.focus import TABLE, examine, read_month
from finops_pipeline_tests.sources.focus_rows import CHARGE, charges

OCTOBER = date(2026, 10, 1)


@pytest.fixture
def file(tmp_path):
    def write(content, name="bill.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, month=OCTOBER):
    examine(path, "USD")
    return read_month([("bill.csv", path)], month).to_pylist()


def test_a_charge_is_typed_to_the_last_digit(file):
    (row,) = read(file(charges({"BilledCost": "0.0000000001", "EffectiveCost": "-1.2E-5"})))

    assert row == {
        "window_start": datetime(2026, 10, 1, tzinfo=UTC),
        "source_file": "bill.csv",
        "billing_period_start": datetime(2026, 10, 1, tzinfo=UTC),
        "charge_period_start": datetime(2026, 10, 5, tzinfo=UTC),
        "charge_period_until": datetime(2026, 10, 5, 1, tzinfo=UTC),
        "charge_category": "Usage",
        "service_category": "Compute",
        "service_name": "Virtual Machines",
        "sub_account_id": "42",
        "resource_id": "vm-1",
        "region_id": "eu-1",
        "tags": '{"cluster": "prod-eu"}',
        "currency": "USD",
        "billed_cost": Decimal("0.0000000001"),
        "effective_cost": Decimal("-0.000012"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-01T00:00Z",
        "2026-10-01T00:00:00.0000000Z",
        "2026-10-01 00:00:00 UTC",
        "2026-10-01T02:00:00+02:00",
    ],
)
def test_periods_are_read_as_clouds_write_them(file, text):
    (row,) = read(file(charges({"BillingPeriodStart": text})))

    assert row["billing_period_start"] == datetime(2026, 10, 1, tzinfo=UTC)


def test_what_a_provider_does_not_have_is_null(file):
    given = {"SubAccountId": "", "ResourceId": None, "RegionId": None, "Tags": None}
    (row,) = read(file(charges(given)))

    assert [row[name] for name in ("sub_account_id", "resource_id", "region_id", "tags")] == [
        None
    ] * 4


def test_versions_add_columns_and_write_them_in_any_order(file):
    names = [*reversed(CHARGE), "ServiceProviderName"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerow({**CHARGE, "ServiceProviderName": "A"})

    (row,) = read(file("\ufeff" + text.getvalue()))
    assert (row["billed_cost"], row["tags"]) == (Decimal("1.25"), CHARGE["Tags"])


def test_text_with_commas_quotes_and_line_ends_stays_whole(file):
    (row,) = read(file(charges({"ServiceName": 'A "B",\nC'})))

    assert row["service_name"] == 'A "B",\nC'


def test_a_packed_file_is_the_same_bill(file):
    text = charges({}, {"BilledCost": "2"})
    plain, packed = file(text), file(gzip.compress(text.encode()), "bill.csv.gz")

    assert examine(plain, "USD") == examine(packed, "USD")
    assert read(plain) == read(packed)


@pytest.mark.parametrize("tags", ["map {'cluster': 'prod-eu'}", """'{"cluster":"prod-eu"}'"""])
@pytest.mark.parametrize("kind", ["decimal(38, 18)", "double", "varchar"])
def test_parquet_is_read_with_its_own_types(tmp_path, tags, kind):
    path = tmp_path / "bill.parquet"
    values = {name: f"'{value}'" for name, value in CHARGE.items()} | {
        "ChargePeriodStart": "timestamp '2026-10-05'",
        "Tags": tags,
        "BilledCost": f"'1.5'::{kind}",
        "EffectiveCost": f"'2'::{kind}",
    }
    columns = ", ".join(f"{value} as {name}" for name, value in values.items())
    duckdb.execute(f"copy (select {columns}) to '{path}' (format parquet)")

    (row,) = read(path)
    assert (row["billed_cost"], row["tags"]) == (Decimal("1.5"), '{"cluster":"prod-eu"}')
    assert row["charge_period_start"] == datetime(2026, 10, 5, tzinfo=UTC)


def test_a_file_may_hold_several_months(file):
    path = file(charges({}, {"BillingPeriodStart": "2026-09-01T00:00:00Z", "BilledCost": "7"}))

    assert examine(path, "USD").months == (date(2026, 9, 1), OCTOBER)
    assert [row["billed_cost"] for row in read(path, date(2026, 9, 1))] == [7]


def test_a_file_without_charges_is_a_bill_of_no_month(file):
    assert examine(file(charges({}).splitlines()[0] + "\n"), "USD").months == ()


def test_a_name_is_no_pattern(file):
    file(charges({"BilledCost": "100"}), "1.csv")

    (row,) = read(file(charges({}), "[1]*?'.csv"))
    assert row["billed_cost"] == Decimal("1.25")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"BilledCost": "NaN"}, "holds 1 rows whose BilledCost or EffectiveCost is no finite"),
        ({"EffectiveCost": "inf"}, "holds 1 rows whose BilledCost or EffectiveCost is no finite"),
        ({"BilledCost": ""}, "holds 1 rows whose BilledCost or EffectiveCost is no finite"),
        ({"BilledCost": "1,50"}, "holds 1 rows whose BilledCost or EffectiveCost is no finite"),
        ({"BilledCost": "1e20"}, "holds 1 rows whose BilledCost or EffectiveCost is no finite"),
        ({"BillingCurrency": "EUR"}, "is in EUR, and this installation in USD"),
        ({"BillingCurrency": ""}, "holds rows without a BillingCurrency"),
        ({"BillingPeriodStart": "soon"}, "holds rows without a BillingPeriodStart"),
    ],
)
def test_an_implausible_row_refuses_the_file(file, changes, message):
    with pytest.raises(ServerMalformed, match=message):
        examine(file(charges({}, changes)), "USD")


def test_columns_that_focus_requires_are_named(file):
    with pytest.raises(ServerMalformed, match="lacks the columns BillingCurrency, BilledCost"):
        examine(file(charges({"BilledCost": None, "BillingCurrency": None})), "USD")


WHOLE = charges({}, {"BilledCost": "2"}).encode()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "bill.csv"),
        (b"\n", "bill.csv"),
        (b"\xff\xfe\x00", "bill.csv"),
        (WHOLE[:-60], "bill.csv"),  # within quotes
        (WHOLE.rpartition(b",")[0], "bill.csv"),  # a column short
        (WHOLE + b"a,b\n", "bill.csv"),
        (WHOLE.replace(b"Machines", b"\xff\xfe", 1), "bill.csv"),
        (gzip.compress(WHOLE)[:-20], "bill.csv.gz"),
        (WHOLE, "bill.csv.gz"),
        (WHOLE, "bill.parquet"),
        (b"PAR1" + bytes(100) + b"PAR1", "bill.parquet"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(file, content, name):
    with pytest.raises(ServerMalformed, match=r"cannot be read|lacks the columns"):
        examine(file(content, name), "USD")


def test_rows_of_several_files_are_in_one_order(file):
    one, other = (
        file(charges({}), "1.csv"),
        file(charges({"BilledCost": "2", "Tags": None}), "2.csv"),
    )
    found = read_month([("2.csv", other), ("1.csv", one)], OCTOBER)

    assert found.equals(read_month([("1.csv", one), ("2.csv", other)], OCTOBER))
    assert found.schema.equals(raw_schema(TABLE))
    assert found["source_file"].to_pylist() == ["1.csv", "2.csv"]


@pytest.mark.parametrize("start", ["0001-01-01", "0999-01-01", "20260-01-01", "infinity"])
def test_a_month_that_no_bill_is_of_is_refused(file, start):
    content = charges({"BillingPeriodStart": f"{start}T00:00:00Z" if "-" in start else start})

    with pytest.raises(ServerMalformed, match="BillingPeriodStart"):
        examine(file(content), "USD")
