import csv
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.destinations.formula import escape_formula
from finops_pipeline.destinations.table_file import KINDS, replace_file, write_csv, write_xlsx
from finops_pipeline.errors import DeliveryError
from finops_pipeline_tests.destinations.sheets import sheet

MONEY = pa.decimal128(38, 10)
SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("hour", pa.timestamp("us", "UTC")),
        ("name", pa.string()),
        ("total_cost", MONEY),
        ("used_hours", pa.float64()),
        ("is_demo", pa.bool_()),
    ]
)
ROW = {
    "day": date(2026, 3, 1),
    "hour": datetime(2026, 3, 1, 10, tzinfo=UTC),
    "name": "shop",
    "total_cost": Decimal("-0.0000000001"),
    "used_hours": 0.1,
    "is_demo": True,
}
FORMULAS = ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "  =1", "\n+1", "\u00a0=1"]
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
money = st.decimals(-(10**9), 10**9, places=10)


def reader(*rows: dict[str, object], schema: pa.Schema = SCHEMA) -> pa.RecordBatchReader:
    """Return a reader of the rows, a batch for each."""
    batches = [pa.RecordBatch.from_pylist([row], schema) for row in rows]
    return pa.RecordBatchReader.from_batches(schema, batches)


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_csv_has_every_digit_and_instants_in_utc(tmp_path, time_zone):
    write_csv(tmp_path / "it", reader(ROW, dict.fromkeys(ROW)), {})

    assert cells(tmp_path / "it") == [
        list(ROW),
        ["2026-03-01", "2026-03-01T10:00:00Z", "shop", "-0.0000000001", "0.1", "true"],
        ["", "", "", "", "", ""],
    ]


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_has_no_text_that_a_spreadsheet_computes(tmp_path, text):
    write_csv(tmp_path / "it", reader({**ROW, "name": text}), {})

    assert cells(tmp_path / "it")[1][2] == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "1-2", "shop", "'=1", "{}", "a\n=1"])
def test_harmless_text_stays(text):
    assert escape_formula(text) == text


@given(st.lists(st.tuples(st.text(), money), min_size=1, max_size=20))
def test_csv_read_back_adds_up_and_computes_nothing(tmp_path_factory, given_rows):
    path = tmp_path_factory.mktemp("csv") / "it"
    schema = pa.schema([("name", pa.string()), ("total_cost", MONEY)])
    rows = [{"name": name, "total_cost": cost} for name, cost in given_rows]

    write_csv(path, reader(*rows, schema=schema), {})

    _, *found = cells(path)
    assert sum(Decimal(cost) for _, cost in found) == sum(cost for _, cost in given_rows)
    assert [name.removeprefix("'") for name, _ in found] == [
        name.removeprefix("'") for name, _ in given_rows
    ]
    assert not any(name.lstrip().startswith(DANGEROUS) for name, _ in found)


def test_parquet_keeps_types_and_says_what_it_is(tmp_path):
    KINDS["parquet"].write(tmp_path / "it", reader(ROW, ROW), {"currency": "EUR"})

    found = pq.read_table(tmp_path / "it")
    assert found.to_pylist() == [ROW, ROW]
    assert found.schema.equals(SCHEMA)
    assert found.schema.metadata[b"currency"] == b"EUR"


def test_excel_gets_numbers_dates_and_text(tmp_path):
    write_xlsx(tmp_path / "it", reader(ROW, dict.fromkeys(ROW)), {"currency": "EUR"})

    heading, row, *empty = sheet(tmp_path / "it")
    assert [text for _, text in heading] == list(ROW)
    assert [kind for kind, _ in row] == [None, None, "inlineStr", None, None, "b"]
    day, hour, name, cost, used, is_demo = (text for _, text in row)
    assert float(day) == 46082
    assert float(hour) == pytest.approx(46082 + 10 / 24)
    assert (name, float(cost), float(used), is_demo) == ("shop", -1e-10, 0.1, "1")
    assert empty == []  # what is unknown is no cell
    assert [text for _, text in sheet(tmp_path / "it", 2)[0]] == ["currency", "EUR"]


@pytest.mark.parametrize("text", [*FORMULAS, "http://a.b", "{=1}", "007", "a\x01b"])
def test_excel_computes_and_links_nothing(tmp_path, text):
    write_xlsx(tmp_path / "it", reader({**ROW, "name": text}), {})

    kind, shown = sheet(tmp_path / "it")[1][2]
    assert (kind, shown.replace("_x0001_", "\x01").replace("_x000D_", "\r")) == ("inlineStr", text)


def test_excel_leaves_what_is_not_finite_empty(tmp_path):
    write_xlsx(tmp_path / "it", reader({**ROW, "used_hours": float("nan")}), {})

    assert len(sheet(tmp_path / "it")[1]) == len(ROW) - 1


def test_excel_refuses_text_that_it_would_cut(tmp_path):
    rows = reader({**ROW, "name": "x" * 40_000})

    with pytest.raises(DeliveryError, match="Excel cannot hold row 1, column 3: 'xxx"):
        write_xlsx(tmp_path / "it", rows, {})


@given(st.lists(st.decimals(-99_999, 99_999, places=10), max_size=20))
def test_excel_keeps_every_decimal_of_amounts_below_100_000(tmp_path_factory, costs):
    path = tmp_path_factory.mktemp("xlsx") / "it"
    schema = pa.schema([("total_cost", MONEY)])

    write_xlsx(path, reader(*({"total_cost": cost} for cost in costs), schema=schema), {})

    _, *rows = sheet(path)
    found = [Decimal(text).quantize(Decimal("1e-10")) for ((_, text),) in rows]
    assert found == costs


def write_half(path: Path) -> None:
    with replace_file(path) as temporary:
        temporary.write_text("half")
        raise ValueError("half of it")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "it.csv"
    path.write_text("before")

    with pytest.raises(ValueError, match="half"):
        write_half(path)
    assert path.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["it.csv"]
    with replace_file(path) as temporary:
        temporary.write_text("after")

    assert path.read_text() == "after"
    assert [path.name for path in tmp_path.iterdir()] == ["it.csv"]


def test_a_folder_that_does_not_exist_is_one_sentence(tmp_path):
    path = tmp_path / "nowhere" / "it.csv"

    with pytest.raises(DeliveryError, match="nowhere is no folder"), replace_file(path):
        pass


@pytest.mark.parametrize("name", ["pipe", "link", "-"])
def test_what_is_no_file_of_its_own_is_not_replaced(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")

    with pytest.raises(DeliveryError), replace_file(tmp_path / name):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
