"""Rows as a file for spreadsheets and other programs: CSV, Parquet or Excel.

A file appears whole under its name, or not at all.
"""

import csv
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from finops_pipeline.destinations.formula import escape_formula
from finops_pipeline.errors import DeliveryError

SHEET_ROWS = 1_048_575  # that Excel has below a heading


@dataclass(frozen=True)
class TableFile:
    """A kind of file: how it is written, and how many rows it holds at most."""

    write: Callable[[Path, pa.RecordBatchReader, Mapping[str, str]], None]
    most_rows: int | None = None


def write_csv(path: Path, rows: pa.RecordBatchReader, _about: Mapping[str, str]) -> None:
    """Write every digit of every row; instants in UTC.

    A spreadsheet takes text that begins like a formula for one: it gets an apostrophe before it.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows.schema.names)
        for row in _tuples(rows):
            writer.writerow(map(_cell, row))


def write_parquet(path: Path, rows: pa.RecordBatchReader, about: Mapping[str, str]) -> None:
    """Write all types; facts about the rows stand in the metadata of the schema."""
    schema = rows.schema.with_metadata(dict(about))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))


def write_xlsx(path: Path, rows: pa.RecordBatchReader, about: Mapping[str, str]) -> None:
    """Write a sheet of rows, money as numbers, and a sheet of facts about them.

    Excel keeps 15 digits of a number: amounts below 100,000 keep all of their decimals.
    """
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        formats = {
            Decimal: book.add_format({"num_format": "#,##0.00########"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        sheet = book.add_worksheet("costs")
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(rows.schema) - 1, 16)
        for number, row in enumerate(chain([rows.schema.names], _tuples(rows))):
            for column, value in enumerate(row):
                _write_cell(sheet, number, column, value, formats)
        _write_about(book.add_worksheet("about"), about)


KINDS = {
    "csv": TableFile(write_csv),
    "parquet": TableFile(write_parquet),
    "xlsx": TableFile(write_xlsx, SHEET_ROWS),
}


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a name to write to; when all went well, the file gets its own name.

    Raises:
        DeliveryError: it cannot be written there; what was there before stays.
    """
    _require_writable(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, FileCreateError) as error:
        raise DeliveryError(f"{path} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _require_writable(path: Path) -> None:
    if path.name in ("", "-"):
        raise DeliveryError("a file needs a name of its own")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DeliveryError(f"{path} is there already, and no file that may be replaced")
    if not path.parent.is_dir():
        raise DeliveryError(f"{path.parent} is no folder")


def _tuples(rows: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in rows:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return escape_formula(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _write_cell(
    sheet: Worksheet, row: int, column: int, value: Any, formats: Mapping[type, Format]
) -> None:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None)
    style = formats.get(type(value))
    if isinstance(value, str):
        failure = sheet.write_string(row, column, value)  # never a formula or a link
    elif isinstance(value, date):
        failure = sheet.write_datetime(row, column, value, style)
    elif value is None or (isinstance(value, float) and not math.isfinite(value)):
        failure = 0  # unknown is empty
    elif isinstance(value, bool):
        failure = sheet.write_boolean(row, column, value)
    else:
        failure = sheet.write_number(row, column, value, style)
    if failure:
        raise DeliveryError(f"Excel cannot hold row {row}, column {column + 1}: {value!r:.100}")


def _write_about(sheet: Worksheet, about: Mapping[str, str]) -> None:
    sheet.set_column(0, 1, 30)
    for row, (name, value) in enumerate(about.items()):
        sheet.write_string(row, 0, name)
        sheet.write_string(row, 1, value)
