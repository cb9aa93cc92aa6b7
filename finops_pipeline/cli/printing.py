"""Answers as people and programs read them: aligned columns, CSV or JSON."""

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from finops_pipeline.destinations.formula import escape_formula
from finops_pipeline.errors import QueryError
from finops_pipeline.queries.costs import Costs

DEMO_MARK = "DEMO DATA: this cluster is pretended"
_MOST_ROWS = 200  # of a table: more scrolls out of sight, and takes seconds to align
_JSON = msgspec.json.Encoder(enc_hook=str, decimal_format="number")

Rows = Iterable[tuple[Any, ...]]


def print_table(columns: Sequence[str], rows: Rows) -> None:
    """Print aligned columns, money with 4 decimals; of a long answer the first rows."""
    rows = iter(rows)
    first = list(islice(rows, _MOST_ROWS))
    for line in format_table(columns, first):
        print(line)
    if rest_count := sum(1 for _ in rows):
        count = f"the first {len(first)} of {len(first) + rest_count} rows"
        print_note(f"{count}; --format csv prints all of them")


def format_table(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return heading, rule and rows as lines; numbers to the right."""
    cells = [
        _format_column(name, [row[position] for row in rows])
        for position, name in enumerate(columns)
    ]
    return ["  ".join(line).rstrip() for line in zip(*cells, strict=True)]


def print_csv(columns: Sequence[str], rows: Rows) -> None:
    """Print every digit of every row."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(map(format_exact, row) for row in rows)


def print_json(columns: Sequence[str], rows: Rows) -> None:
    """Print a list of objects, each on a line of its own; every digit of every number."""
    if twins := [name for name in columns if columns.count(name) > 1]:
        raise QueryError(f"two columns are called {twins[0]}: name one of them otherwise")
    before = "["
    for row in rows:
        print(f"{before}\n{format_json(dict(zip(columns, row, strict=True)))}", end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def format_json(value: Any) -> str:
    """Return a value as one line of JSON; decimals are numbers, kinds JSON lacks are text."""
    return _JSON.encode(value).decode()


def print_costs(costs: Costs, style: str) -> None:
    """Print costs by group, and on stderr notes on their days."""
    if style == "json":
        print(format_json(_describe(costs)))
    elif style == "csv":
        print_csv(costs.columns, (_without_formulas(row) for row in costs.rows))
    else:
        before = f", before: {costs.previous}" if costs.previous else ""
        print(f"cost in {costs.currency}, {costs.days} (UTC){before}\n")
        rows = [_format_row(row, costs.width) for row in costs.rows]
        *lines, total = format_table(costs.columns, [*rows, costs.total])
        print(*lines, lines[1], total, sep="\n")
    for text in costs.notes:
        print_note(text)


def _without_formulas(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(escape_formula(value) if isinstance(value, str) else value for value in row)


def _describe(costs: Costs) -> dict[str, Any]:
    """Return costs as one object; days are first and last, both included."""
    rows = [dict(zip(costs.columns, row, strict=True)) for row in costs.rows]
    measures = costs.columns[costs.width :]
    return {
        "currency": costs.currency,
        "days": [costs.days.first, costs.days.last],
        "previous_days": costs.previous and [costs.previous.first, costs.previous.last],
        "notes": costs.notes,
        "total": dict(zip(measures, costs.total[costs.width :], strict=True)),
        "rows": rows,
    }


def _format_row(row: tuple[Any, ...], width: int) -> tuple[Any, ...]:
    """Return a row with names that no team has chosen in brackets."""
    return (*map(_format_name, row[:width]), *row[width:])


def _format_name(name: str | None) -> str:
    # Imported late: reading settings takes 0.2 s to import, and `finops sql` needs none.
    from finops_pipeline.settings import RESERVED

    if name is None:
        return "(none)"
    word = name.removeprefix("__").removesuffix("__")
    return f"({word})" if word != name or word in RESERVED else name


def print_note(text: str) -> None:
    """Print a note on stderr, beside the answer."""
    print(text, file=sys.stderr)


def format_exact(value: Any) -> str:
    """Return a value with every digit."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _format_column(name: str, values: Sequence[Any]) -> list[str]:
    """Return name, rule and cells of a column, all of one width; numbers to the right."""
    cells = [_format_value(value) for value in values]
    width = max(map(len, [name, *cells]))
    is_number = {type(value) for value in values} - {type(None)} <= {int, float, Decimal}
    align = str.rjust if values and is_number else str.ljust
    return [align(name, width), "-" * width, *(align(cell, width) for cell in cells)]


def _format_value(value: Any) -> str:
    """Return a value as people read it; instants in UTC."""
    if isinstance(value, Decimal):
        return f"{value:.4f}"
    if isinstance(value, float):
        return _format_float(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M}"
    return format_exact(value).replace("\n", " ")


def _format_float(value: float) -> str:
    """Return four decimals; of tiny numbers four digits, of huge ones the whole part."""
    if abs(value) >= 1e6:
        return f"{value:.0f}"
    return f"{value:.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:.4g}"


PRINTERS: dict[str, Callable[[Sequence[str], Rows], None]] = {
    "table": print_table,
    "csv": print_csv,
    "json": print_json,
}
