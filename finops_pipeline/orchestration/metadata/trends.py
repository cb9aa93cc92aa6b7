"""Shows how a table has developed: its newest slots as charts, and who moved its cost.

Only the newest slots are read, so that a tick costs the same after a year.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg

from finops_pipeline.catalog.files import query_text
from finops_pipeline.catalog.tables import Table
from finops_pipeline.reports.chart import Chart, Values
from finops_pipeline.units import DAY, HOUR, WINDOW
from finops_pipeline.warehouse.session import Warehouse

Row = dict[str, Any]

_SLOTS = 30
_STEPS = {"window_start": WINDOW, "hour": HOUR, "day": DAY}
_MONEY = ("total_cost", "cpu_waste_cost", "memory_waste_cost")
# Of sums that leave out what had no request; ratios do not add up, each is divided anew.
_RATIOS = {
    "cpu_usage_ratio": ("cpu_used_core_hours", "cpu_requested_core_hours"),
    "memory_usage_ratio": ("memory_used_byte_hours", "memory_requested_byte_hours"),
}
_MOVERS = 3


def trend(warehouse: Warehouse, table: Table, currency: str) -> dict[str, Any]:
    """Return totals of the newest slot, which the UI plots run by run, and earlier ones as charts.

    Of a table with money or ratios by time; nothing of any other.
    """
    when, names = table.time_column, _expressions(table)
    if not when or not names:
        return {}
    rows = warehouse.rows(_query(table, when, names))
    if not rows:
        return {}
    charts = _charts(_gapless(rows, _STEPS[when]), currency)
    newest = {f"newest_{name}": rows[-1][name] for name in names if rows[-1][name] is not None}
    pictures = "\n\n".join(chart.markdown() for chart in charts)
    return {**newest, "trend": dg.MetadataValue.md(pictures)}


def _expressions(table: Table) -> dict[str, str]:
    """Return what is shown by slot: name and expression."""
    money = {name: f"sum({name})::double" for name in _MONEY if name in table.columns}
    if table.schema != "efficiency":
        return money
    return money | {
        name: f"sum({used}) / nullif(sum({requested}), 0)"
        for name, (used, requested) in _RATIOS.items()
        if used in table.columns
    }


def _query(table: Table, when: str, names: dict[str, str]) -> str:
    columns = ", ".join(f"{how} as {name}" for name, how in names.items())
    back = (_SLOTS - 1) * _STEPS[when]
    return (
        f"select {when} as slot, count(*) as row_count, {columns} from {table.storage}"
        f" where {when} >= (select max({when}) from {table.storage})"
        f" - to_seconds({back.total_seconds():.0f}) group by {when} order by {when}"
    )


def _gapless(rows: Sequence[Row], step: timedelta) -> list[Row]:
    """Return all slots from the first to the last; without rows a slot has only its time."""
    by_slot = {row["slot"]: row for row in rows}
    slot, last, gapless = rows[0]["slot"], rows[-1]["slot"], list[Row]()
    while slot <= last:
        gapless.append(by_slot.get(slot, {"slot": slot}))
        slot += step
    return gapless


def _charts(slots: Sequence[Row], currency: str) -> list[Chart]:
    """Draw a chart per unit: units share no scale."""
    ends = _format_slot(slots[0]["slot"]), _format_slot(slots[-1]["slot"])
    units = {currency: _MONEY, "ratio": tuple(_RATIOS), "rows": ("row_count",)}
    by_unit = ((unit, _lines(slots, names)) for unit, names in units.items())
    return [Chart(unit, *ends, lines) for unit, lines in by_unit if lines]


def _lines(slots: Sequence[Row], names: tuple[str, ...]) -> dict[str, Values]:
    return {name: [slot.get(name) for slot in slots] for name in names if name in slots[-1]}


def _format_slot(slot: date) -> str:
    return f"{slot:%Y-%m-%d %H:%M} UTC" if isinstance(slot, datetime) else f"{slot} UTC"


def movers(warehouse: Warehouse, table: Table, today: date) -> dict[str, Any]:
    """Return the cost of yesterday, its change, and who changed most: of daily tables of cost.

    A day of which some cluster lacks windows costs less than it did: it is compared with nothing,
    and ``not_compared`` says why. ``core.window_daily`` has to be up to date.
    """
    if table.schema != "costs" or table.time_column != "day" or "total_cost" not in table.columns:
        return {}
    day = today - DAY
    compared = [day, day - DAY, day - 7 * DAY]
    owners = [str(name) for name in ("team", "namespace") if name in table.columns]
    owners = owners or ["cluster"]
    rows = warehouse.rows(
        f"select day, concat_ws(' / ', {', '.join(owners)}) as owner, sum(total_cost) as cost"
        f" from {table.storage} where day in (select unnest($days)) group by all",
        {"days": compared},
    )
    if not rows:
        return {}
    incomplete = _days_lacking_windows(warehouse, compared)
    whole = [row for row in rows if row["day"] not in incomplete]
    costs = [{r["owner"]: r["cost"] for r in whole if r["day"] == slot} for slot in compared]
    reasons = {"not_compared": "; ".join(f"{slot}: {why}" for slot, why in incomplete.items())}
    return _changes(day, costs, " / ".join(owners)) | (reasons if incomplete else {})


def _days_lacking_windows(warehouse: Warehouse, days: Sequence[date]) -> dict[date, str]:
    """Return which windows days lack that are not whole in every cluster of any of them."""
    query = query_text("days_lacking_windows")
    rows = warehouse.rows(query, {"days": days, "day_windows": DAY // WINDOW})
    return {row["day"]: row["lacks"] for row in rows}


def _changes(day: date, costs: Sequence[dict[str, Decimal]], owners: str) -> dict[str, Any]:
    last, before, week = costs
    if not last:
        return {}
    metadata: dict[str, Any] = {"last_day": day.isoformat(), "last_day_cost": float(_total(last))}
    if week:
        metadata["change_in_7_days_cost"] = float(_total(last) - _total(week))
    if before:
        largest = _largest(last, before)
        metadata["change_in_1_day_cost"] = float(_total(last) - _total(before))
        metadata["movers"] = dg.MetadataValue.md(_table(largest, last, owners))
    return metadata


def _total(costs: dict[str, Decimal]) -> Decimal:
    return sum(costs.values(), Decimal(0))


def _largest(last: dict[str, Decimal], before: dict[str, Decimal]) -> list[tuple[str, Decimal]]:
    """Return owners with the largest changes of cost; one without rows of a day cost nothing."""
    none = Decimal(0)
    changes = {name: last.get(name, none) - before.get(name, none) for name in {**last, **before}}
    changed = [(name, change) for name, change in changes.items() if change]
    return sorted(changed, key=lambda pair: (-abs(pair[1]), pair[0]))[:_MOVERS]


def _table(largest: list[tuple[str, Decimal]], last: dict[str, Decimal], owners: str) -> str:
    lines = [f"| {owners} | cost | change in 1 day |", "| --- | ---: | ---: |"]
    for name, change in largest:
        plain = name.replace("_", "\\_").replace("|", "\\|")
        lines.append(f"| {plain} | {last.get(name, Decimal(0)):.2f} | {change:+.2f} |")
    return "\n".join(lines)
