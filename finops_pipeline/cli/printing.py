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
    """Aligned columns, money with 4 decimals; of a long answer the first rows."""
    every = iter(rows)
    first = list(islice(every, _MOST_ROWS))
    for line in aligned(columns, first):
        print(line)
    if left_out := sum(1 for _ in every):
        shown = f"the first {len(first)} of {len(first) + left_out} rows"
        note(f"{shown}; --format csv prints all of them")


def aligned(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Heading, rule and rows as lines; numbers to the right."""
    cells = [
        _column(name, [row[position] for row in rows]) for position, name in enumerate(columns)
    ]
    return ["  ".join(line).rstrip() for line in zip(*cells, strict=True)]


def print_csv(columns: Sequence[str], rows: Rows) -> None:
    """Every digit of every row."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(map(exact, row) for row in rows)


def print_json(columns: Sequence[str], rows: Rows) -> None:
    """A list of objects, each on a line of its own; every digit of every number."""
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise QueryError(f"two columns are called {repeated[0]}: name one of them otherwise")
    before = "["
    for row in rows:
        print(f"{before}\n{as_json(dict(zip(columns, row, strict=True)))}", end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def as_json(value: Any) -> str:
    """One line; decimals are numbers, what JSON has no word for is text."""
    return _JSON.encode(value).decode()


def print_costs(costs: Costs, style: str) -> None:
    """Costs by group, beside them what a reader has to know of their days."""
    if style == "json":
        print(as_json(_described(costs)))
    elif style == "csv":
        print_csv(costs.columns, (_harmless(row) for row in costs.rows))
    else:
        before = f", before: {costs.previous}" if costs.previous else ""
        print(f"cost in {costs.currency}, {costs.days} (UTC){before}\n")
        rows = [_visible(row, costs.width) for row in costs.rows]
        *lines, total = aligned(costs.columns, [*rows, costs.total])
        print(*lines, lines[1], total, sep="\n")
    for text in costs.notes:
        note(text)


def _harmless(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(escape_formula(value) if isinstance(value, str) else value for value in row)


def _described(costs: Costs) -> dict[str, Any]:
    """Everything as one object; days are first and last, both included."""
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


def _visible(row: tuple[Any, ...], width: int) -> tuple[Any, ...]:
    """A row with what is no name of anybody's in brackets."""
    return (*map(_bracketed, row[:width]), *row[width:])


def _bracketed(name: str | None) -> str:
    # Imported late: reading settings takes 0.2 s to import, and `finops sql` needs none.
    from finops_pipeline.settings import RESERVED

    if name is None:
        return "(none)"
    word = name.removeprefix("__").removesuffix("__")
    return f"({word})" if word != name or word in RESERVED else name


def note(text: str) -> None:
    """Say something beside the answer."""
    print(text, file=sys.stderr)


def exact(value: Any) -> str:
    """A value with every digit."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _column(name: str, values: Sequence[Any]) -> list[str]:
    """Its cells below name and rule, all of one width; numbers to the right."""
    cells = [_shown(value) for value in values]
    width = max(map(len, [name, *cells]))
    is_number = {type(value) for value in values} - {type(None)} <= {int, float, Decimal}
    align = str.rjust if values and is_number else str.ljust
    return [align(name, width), "-" * width, *(align(cell, width) for cell in cells)]


def _shown(value: Any) -> str:
    """A value as people read it; instants in UTC."""
    if isinstance(value, Decimal):
        return f"{value:.4f}"
    if isinstance(value, float):
        return _shown_float(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M}"
    return exact(value).replace("\n", " ")


def _shown_float(value: float) -> str:
    """Four decimals; of tiny numbers four digits, of huge ones the whole part."""
    if abs(value) >= 1e6:
        return f"{value:.0f}"
    return f"{value:.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:.4g}"


PRINTERS: dict[str, Callable[[Sequence[str], Rows], None]] = {
    "table": print_table,
    "csv": print_csv,
    "json": print_json,
}
