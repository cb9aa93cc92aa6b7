"""Costs by owner, place or workload, of some days and of those before them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from finops_pipeline.errors import QueryError
from finops_pipeline.queries.published import ask, ask_file
from finops_pipeline.queries.status import published_status

_DAY = timedelta(days=1)
_OWNER = ("team", "environment", "project", "cost_center", "namespace", "cluster")
_PAYERS = {"team", "environment", "project", "cost_center"}  # they take idle and shared cost
_WORKLOAD = (*_OWNER, "cost_kind", "workload_kind", "workload")
# Columns that the costs of containers and of nodes are known with.
_COMPANIONS = {"container": _WORKLOAD, "node": (*_OWNER, "cost_kind")}
DIMENSIONS = (*_WORKLOAD, *_COMPANIONS)
FILTERS = ("cluster", "team", "namespace")
# The parts of a cost that a team pays: its own, its share of idle, its share of what all use.
ATTRIBUTED = "costs.attributed_daily"
_PARTS = ("direct_cost", "idle_cost", "shared_cost")
# Tables of containers and nodes lack costs: disks, traffic and load balancers are on no node, and
# old days are kept without containers and hours. The rest gets a row on none of them, so that the
# sum is always that of costs.daily.
_PARTIAL_TABLES = {
    "container": "costs.container_daily",
    "node": """(
        select *, cast(hour as date) as day, cpu_cost + memory_cost + gpu_cost as total_cost
        from costs.node_hourly
    )""",
}
_WITH_THE_REST = """(
    select day, {common}, {dimension}, total_cost from {partial}
    union all by name
    select day, {common}, sum(total_cost) as total_cost
    from (
        select day, {common}, total_cost from costs.daily
        union all by name
        select day, {common}, -total_cost as total_cost from {partial}
    )
    group by all
    having sum(total_cost) <> 0
)"""
ALL = 10**9  # groups
_LEADING_COLUMNS = 2  # of an answer: the place of a group, and how many groups a row sums
_COSTS = """
with cost as (
    select *, day >= $first and day < $after as is_now
    from {relation}
    where (day >= $first and day < $after or day >= $previous_first and day < $previous_after)
        and cluster = coalesce($cluster, cluster)
        and team = coalesce($team, team)
        and namespace = coalesce($namespace, namespace)
),
grouped as (
    select
        {names},
        {measures},
        sum(total_cost) filter (not is_now) as before_cost
    from cost
    group by {names}
),
ranked as (
    select
        * exclude (before_cost),
        -- Null where nothing is known of the time before: zero would be a guess.
        if(count(before_cost) over () > 0, coalesce(before_cost, 0), null) as before_cost,
        sum(total_cost) over () as whole_cost,
        row_number() over (order by total_cost desc, {names}) as place
    from grouped
)
select
    least(place, $limit + 1) as row,
    count(*) as group_count,
    {groups},
    {sums},
    cast(sum(total_cost) as double) / nullif(max(whole_cost), 0) as share_ratio
    {comparison}
from ranked
group by rollup (row)
order by row nulls last
"""
_COMPARISON = """,
    sum(before_cost) as previous_cost,
    sum(total_cost) - previous_cost as change_cost,
    cast(change_cost as double) / nullif(previous_cost, 0) as change_ratio
"""


@dataclass(frozen=True)
class Days:
    """UTC days from the first to the last, both included."""

    first: date
    last: date

    @property
    def after(self) -> date:
        """The day after the last."""
        return self.last + _DAY

    @property
    def count(self) -> int:
        """Number of days."""
        return (self.after - self.first).days

    def __str__(self) -> str:
        return f"{self.first} to {self.last}" if self.count > 1 else str(self.first)


def parse_days(name: str, today: date) -> Days:
    """Return the days that a name on the command line stands for.

    Args:
        name: ``today``, ``yesterday``, ``7d`` (that many whole days before today), ``mtd`` (this
            month so far, today included), ``last-month``, ``2026-11`` or
            ``2026-11-01..2026-11-15`` (the last day included).
        today: UTC day.

    Raises:
        QueryError: it stands for none.
    """
    first_of_month = today.replace(day=1)
    if count := re.fullmatch(r"([1-9]\d{0,3})d", name):
        return Days(today - int(count[1]) * _DAY, today - _DAY)
    calendar = {
        "today": Days(today, today),
        "yesterday": Days(today - _DAY, today - _DAY),
        "mtd": Days(first_of_month, today),
        "last-month": _month(first_of_month - _DAY),
    }
    return calendar[name] if name in calendar else _parse_dates(name)


def previous_days(name: str, days: Days) -> Days:
    """Return the days to compare with: as many right before, of a month the whole one before.

    A month to date is compared with the same days of the month before, as far as it has them.
    """
    before = days.first - _DAY
    if name == "mtd":
        month = _month(before)
        return Days(month.first, min(month.first + (days.count - 1) * _DAY, month.last))
    if days == _month(days.first):
        return _month(before)
    return Days(before - (days.count - 1) * _DAY, before)


def _parse_dates(name: str) -> Days:
    try:
        if re.fullmatch(r"20\d\d-\d\d", name):
            return _month(date.fromisoformat(f"{name}-01"))
        first, last = re.findall(r"^(20\d\d-\d\d-\d\d)\.\.(20\d\d-\d\d-\d\d)$", name)[0]
        days = Days(date.fromisoformat(first), date.fromisoformat(last))
    except (ValueError, IndexError) as error:
        raise QueryError(
            f"{name!r} is no window: today, yesterday, 7d, 30d, mtd, last-month, 2026-11, or"
            " 2026-11-01..2026-11-15"
        ) from error
    if days.count < 1:
        raise QueryError(f"{name!r} ends before it begins")
    return days


def _month(day: date) -> Days:
    """Return the days of the month that a day lies in."""
    first = day.replace(day=1)
    return Days(first, (first + 31 * _DAY).replace(day=1) - _DAY)


@dataclass(frozen=True)
class Costs:
    """Costs by group, dearest first; ``total`` is the sum of the rows, to the last decimal.

    Previous costs, and what is derived from them, are None where none were kept.
    """

    days: Days
    previous: Days | None
    currency: str
    width: int  # columns that name a group
    columns: list[str]
    rows: list[tuple[Any, ...]]
    total: tuple[Any, ...]
    notes: list[str]


def costs_by(
    connection: duckdb.DuckDBPyConnection,
    dimensions: Sequence[str],
    days: Days,
    previous: Days | None = None,
    filters: Mapping[str, str | None] | None = None,
    limit: int = ALL,
) -> Costs:
    """Sum what each group cost.

    Args:
        connection: a published file, open.
        dimensions: names of ``DIMENSIONS`` to group by.
        days: whose costs are summed.
        previous: days to compare with, if any.
        filters: values of ``FILTERS``, to leave out all others.
        limit: groups; all others are put together in one row.

    Raises:
        QueryError: no table knows all of the dimensions together.
    """
    relation = _relation(dimensions)
    arguments: dict[str, Any] = dict.fromkeys(FILTERS) | dict(filters or {})
    arguments |= {"first": days.first, "after": days.after, "limit": limit}
    arguments |= _previous_arguments(previous)
    answer = ask(connection, _query(relation, dimensions, previous is not None), arguments)
    *rows, total = (_label(row, len(dimensions), limit) for row in answer.rows)
    notes = [] if rows else list(_no_cost_notes(connection, arguments))
    notes += _incomplete_notes(connection, days, previous, arguments)
    if relation != ATTRIBUTED and (arguments["team"] or _PAYERS & set(dimensions)):
        notes.append("without the share of idle and shared cost, which --by team has")
    currency = published_status(connection).currency
    columns = answer.columns[_LEADING_COLUMNS:]
    return Costs(days, previous, currency, len(dimensions), columns, rows, total, notes)


def _relation(dimensions: Sequence[str]) -> str:
    """Return the table or subquery that has all of the dimensions."""
    names = set(dimensions)
    if unknown := sorted(names - set(DIMENSIONS)):
        raise QueryError(f"costs are not kept by {unknown[0]}, but by {', '.join(DIMENSIONS)}")
    if names & _PAYERS and names <= set(_OWNER):
        return ATTRIBUTED
    for dimension, companions in _COMPANIONS.items():
        if dimension in names and names <= {*companions, dimension}:
            return _WITH_THE_REST.format(
                dimension=dimension,
                partial=_PARTIAL_TABLES[dimension],
                common=", ".join(companions),
            )
    if names <= set(_WORKLOAD):
        return "costs.daily"
    raise QueryError(f"costs are not kept by {' and '.join(dimensions)} together")


def _query(relation: str, dimensions: Sequence[str], is_compared: bool) -> str:
    """Return the select of the groups, of all others together, and of the sum of all, in order."""
    measures = ("total_cost", *(_PARTS if relation == ATTRIBUTED else ()))
    names = ", ".join(dimensions)
    return _COSTS.format(
        relation=relation,
        names=names,
        measures=", ".join(f"coalesce(sum({m}) filter (is_now), 0) as {m}" for m in measures),
        groups=", ".join(f"if(row <= $limit, any_value({d}), null) as {d}" for d in dimensions),
        sums=", ".join(f"sum({measure}) as {measure}" for measure in measures),
        comparison=_COMPARISON if is_compared else "",
    )


def _previous_arguments(previous: Days | None) -> dict[str, Any]:
    return {
        "previous_first": previous and previous.first,
        "previous_after": previous and previous.after,
    }


def _label(row: tuple[Any, ...], width: int, limit: int) -> tuple[Any, ...]:
    """Return a row without its leading columns; a row that sums several groups says so."""
    place, count, *values = row
    if place is None:
        return ("total", *("",) * (width - 1), *values[width:])
    if place > limit:
        return (f"({count} others)", *("",) * (width - 1), *values[width:])
    return tuple(values)


def _no_cost_notes(
    connection: duckdb.DuckDBPyConnection, arguments: Mapping[str, Any]
) -> Iterator[str]:
    """Note which filters left no costs, and which days have some."""
    filters = [f"{name} {arguments[name]}" for name in FILTERS if arguments[name] is not None]
    ((first, last),) = ask_file(connection, "cost_days").rows
    if filters:
        yield f"these days have no costs of {', '.join(filters)}"
    yield f"costs are known of {first} to {last}" if first else "no costs are known yet"


def _incomplete_notes(
    connection: duckdb.DuckDBPyConnection,
    days: Days,
    previous: Days | None,
    arguments: Mapping[str, Any],
) -> Iterator[str]:
    """Note how many of the days lack windows."""
    for period, name in ((days, "these days"), (previous, "the days before")):
        if period is None:
            continue
        ((count, first),) = ask_file(
            connection,
            "incomplete_days",
            {"first": period.first, "after": period.after, "cluster": arguments["cluster"]},
        ).rows
        if count == period.count:
            yield f"{name} are all incomplete: windows are missing"
        elif count:
            yield f"of {name}, {count} of {period.count} are incomplete, the first is {first}"
