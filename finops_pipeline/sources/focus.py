"""A cloud's bill as FOCUS files: CSV, also gzipped, and Parquet, of FOCUS 1.0 to 1.4.

A file is judged as a whole before a row of it counts: half a bill is worse than none. DuckDB
streams files of any size; only the rows of one billing month are ever in memory.
"""

import csv
import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import ServerMalformed
from finops_pipeline.sql_text import sql_literal

_FIRST_YEAR, _LAST_YEAR = 2000, 2099
SUFFIXES = (".csv", ".csv.gz", ".parquet")
TABLE = "raw.bill"

# Ours, FOCUS', whether a file without it is refused. Those that are not required are null in FOCUS
# where a provider has no such thing.
_COLUMNS = (
    ("billing_period_start", "BillingPeriodStart", True),
    ("charge_period_start", "ChargePeriodStart", True),
    ("charge_period_until", "ChargePeriodEnd", True),
    ("charge_category", "ChargeCategory", True),
    ("service_category", "ServiceCategory", True),
    ("service_name", "ServiceName", True),
    ("sub_account_id", "SubAccountId", False),
    ("resource_id", "ResourceId", False),
    ("region_id", "RegionId", False),
    ("tags", "Tags", False),
    ("currency", "BillingCurrency", True),
    ("billed_cost", "BilledCost", True),
    ("effective_cost", "EffectiveCost", True),
)
_PATTERN = re.compile(r"[*?\[]")
_MONTH = "cast(window_start as date)"
_CHUNK_BYTES = 1 << 20
_LONGEST_MESSAGE = 300  # DuckDB lists every option of its CSV reader


@dataclass(frozen=True)
class Bill:
    """A file that is plausible.

    Args:
        sha256: of what it holds, unpacked: the same bill twice is known by it.
        months: first days of the billing months it has rows of, in order.
    """

    sha256: str
    months: tuple[date, ...]


def examine(path: Path, currency: str) -> Bill:
    """Read a whole file once, and judge it.

    Args:
        path: its suffix is one of :data:`SUFFIXES`.
        currency: of the installation; nothing is converted.

    Raises:
        ServerMalformed: it cannot be read to its end, lacks a column that FOCUS requires, or holds
            a row without billing period, without a finite cost, or in another currency.
    """
    try:
        before = path.stat()
        sha256 = _sha256(path)
        months, faults = _judge(path, currency)
        after = path.stat()
    except (OSError, EOFError, ValueError, csv.Error, duckdb.Error) as error:
        raise ServerMalformed(f"cannot be read: {_short(error)}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ServerMalformed("was written to while it was read")
    if faults:
        raise ServerMalformed("; ".join(faults))
    return Bill(sha256, months)


def read_month(files: Iterable[tuple[str, Path]], month: date) -> pa.Table:
    """Read the rows of ``raw.bill`` of one billing month, in the order of their values.

    Args:
        files: each with the name that its rows are to tell.
        month: its first day.

    Raises:
        ServerMalformed: a file cannot be read any more.
    """
    schema = raw_schema(TABLE)
    try:
        with closing(_connection()) as connection:
            selects = (
                f"select {sql_literal(name)} as source_file, *"
                f" from ({_typed_select(connection, path)})"
                for name, path in files
            )
            query = (
                f"select {', '.join(schema.names)} from ({' union all '.join(selects)})"
                f" where {_MONTH} = $month order by all"
            )
            return connection.execute(query, {"month": month}).to_arrow_table().cast(schema)
    except (OSError, EOFError, ValueError, csv.Error, duckdb.Error) as error:
        raise ServerMalformed(f"the bill of {month:%Y-%m} cannot be read: {error}") from error


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set preserve_insertion_order = false")  # else rows wait for their turn
    return connection


def _judge(path: Path, currency: str) -> tuple[tuple[date, ...], list[str]]:
    """Judge a file: its billing months, and what is wrong with it, in sentences."""
    with closing(_connection()) as connection:
        if missing := _missing(connection, path):
            return (), [f"lacks the columns {', '.join(missing)}"]
        query = f"""
            select
                {_MONTH} as month,
                count(*) filter (billed_cost is null or effective_cost is null),
                string_agg(distinct currency, ', ' order by currency)
                    filter (currency is distinct from $currency),
                count(*) filter (currency is null),
                bit_xor(hash(charge))  -- reads what the others do not: text may be damaged, too
            from ({_typed_select(connection, path)}) as charge
            group by month
            order by month
        """
        by_month = connection.execute(query, {"currency": currency}).fetchall()
    return tuple(month for month, *_ in by_month if month), [*_faults(by_month, currency)]


def _faults(by_month: Sequence[tuple[Any, ...]], currency: str) -> Iterator[str]:
    if any(month is None for month, *_ in by_month):
        yield "holds rows without a BillingPeriodStart"
    # What is no date of Python's comes as text, or as the last one there is.
    if odd := [month for month, *_ in by_month if month and not _is_sane(month)]:
        yield f"has a BillingPeriodStart outside of {_FIRST_YEAR} to {_LAST_YEAR}: {odd[0]}"
    if count := sum(wrong for _, wrong, *_ in by_month):
        yield f"holds {count} rows whose BilledCost or EffectiveCost is no finite number"
    if others := sorted({other for _, _, other, *_ in by_month if other}):
        yield f"is in {', '.join(others)}, and this installation in {currency}"
    if any(count for _, _, _, count, _ in by_month):
        yield "holds rows without a BillingCurrency"


def _is_sane(month: object) -> bool:
    return isinstance(month, date) and _FIRST_YEAR <= month.year <= _LAST_YEAR


def _missing(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    names = {name.lower() for name in _types(connection, path)}
    return [
        focus for _, focus, is_required in _COLUMNS if is_required and focus.lower() not in names
    ]


def _types(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Describe a file: type by name of its columns."""
    columns = connection.execute(f"describe {_plain_select(path)}").fetchall()
    return {name: kind for name, kind, *_ in columns}


def _typed_select(connection: duckdb.DuckDBPyConnection, path: Path) -> str:
    """Return a select of our columns; null is what could not be cast, or is not there."""
    types = {name.lower(): kind for name, kind in _types(connection, path).items()}
    columns = ", ".join(
        f"{_cast(ours, focus, types.get(focus.lower()))} as {ours}" for ours, focus, _ in _COLUMNS
    )
    month = "date_trunc('month', billing_period_start) as window_start"
    return f"select *, {month} from (select {columns} from ({_plain_select(path)}))"


def _cast(ours: str, focus: str, kind: str | None) -> str:
    if kind is None:
        return "null::varchar"
    target = raw_schema(TABLE).field(ours).type
    if pa.types.is_decimal(target):
        return f'try_cast("{focus}" as decimal({target.precision}, {target.scale}))'
    if pa.types.is_timestamp(target):  # some clouds leave out the seconds
        short = f"try_strptime(cast(\"{focus}\" as varchar), '%Y-%m-%dT%H:%MZ')"
        return f'coalesce(try_cast("{focus}" as timestamptz), cast({short} as timestamptz))'
    is_plain = not kind.startswith(("MAP", "STRUCT"))  # tags of Parquet files
    return f'cast("{focus}" as varchar)' if is_plain else f'cast(to_json("{focus}") as varchar)'


def _plain_select(path: Path) -> str:
    """Return a select of all that a file holds, of a CSV file as text."""
    pattern = sql_literal(_PATTERN.sub(r"[\g<0>]", str(path)))  # the name is no pattern
    if path.name.endswith(".parquet"):
        return f"select * from read_parquet({pattern}, hive_partitioning = false)"
    columns = ", ".join(f"{sql_literal(name)}: 'VARCHAR'" for name in _header(path))
    return (
        f"select * from read_csv({pattern}, columns = {{{columns}}}, auto_detect = false,"
        " header = true, delim = ',', quote = '\"', escape = '\"', strict_mode = true,"
        " nullstr = ['', 'NULL', 'null'], hive_partitioning = false)"
    )


def _header(path: Path) -> list[str]:
    """Read the names of the columns; DuckDB would guess them, even from damaged rows."""
    with _unpacked(path) as file:
        line = file.readline().decode("utf-8-sig")
    names = next(csv.reader([line]), [])
    if not names:
        raise ValueError("there is no header")
    return names


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with _unpacked(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _unpacked(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.name.endswith(".gz") else path.open("rb")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST_MESSAGE]
