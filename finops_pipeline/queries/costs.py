"""What something cost, by whom or where, in some days and in those before them."""

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
_PAYING = {"team", "environment", "project", "cost_center"}  # who takes idle and shared cost
_WORKLOAD = (*_OWNER, "cost_kind", "workload_kind", "workload")
_WITH = {"container": _WORKLOAD, "node": (*_OWNER, "cost_kind")}  # what each is known with
DIMENSIONS = (*_WORKLOAD, *_WITH)
FILTERS = ("cluster", "team", "namespace")
# The parts of a cost that a team pays: its own, its share of idle, its share of what all use.
ATTRIBUTED = "costs.attributed_daily"
_PARTS = ("direct_cost", "idle_cost", "shared_cost")
# Of containers and nodes less is known than of all costs: disks, traffic and load balancers are on
# no node, and old days are kept without containers and hours. The rest is on none of them, so that
# their sum is always that of costs.daily.
_KNOWN = {
    "container": "costs.container_daily",
    "node": """(
        select *, cast(hour as date) as day, cpu_cost + memory_cost + gpu_cost as total_cost
        from costs.node_hourly
    )""",
}
_WITH_REST = """(
    select day, {common}, {dimension}, total_cost from {known}
    union all by name
    select day, {common}, sum(total_cost) as total_cost
    from (
        select day, {common}, total_cost from costs.daily
        union all by name
        select day, {common}, -total_cost as total_cost from {known}
    )
    group by all
    having sum(total_cost) <> 0
)"""
ALL = 10**9  # groups
_LEADING = 2
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
        {measured},
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
    {shown},
    {summed},
    cast(sum(total_cost) as double) / nullif(max(whole_cost), 0) as share_ratio
    {compared}
from ranked
group by rollup (row)
order by row nulls last
"""
_COMPARED = """,
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
        """How many there are."""
        return (self.after - self.first).days

    def __str__(self) -> str:
        return f"{self.first} to {self.last}" if self.count > 1 else str(self.first)


def days_named(name: str, today: date) -> Days:
    """The days that a name on the command line stands for.

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
    fixed = {
        "today": Days(today, today),
        "yesterday": Days(today - _DAY, today - _DAY),
        "mtd": Days(first_of_month, today),
        "last-month": _month(first_of_month - _DAY),
    }
    return fixed[name] if name in fixed else _days_written(name)


def days_before(name: str, days: Days) -> Days:
    """The days to compare with: as many right before, of a month the whole month before.

    A month to date is compared with the same days of the month before, as far as it has them.
    """
    before = days.first - _DAY
    if name == "mtd":
        month = _month(before)
        return Days(month.first, min(month.first + (days.count - 1) * _DAY, month.last))
    if days == _month(days.first):
        return _month(before)
    return Days(before - (days.count - 1) * _DAY, before)


def _days_written(name: str) -> Days:
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
    """The month a day lies in."""
    first = day.replace(day=1)
    return Days(first, (first + 31 * _DAY).replace(day=1) - _DAY)


@dataclass(frozen=True)
class Costs:
    """Costs by group, dearest first; ``total`` is the sum of the rows, to the last decimal.

    What something cost before, and all that is derived from it, is None where nothing was kept.
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
    only: Mapping[str, str | None] | None = None,
    limit: int = ALL,
) -> Costs:
    """What each group cost.

    Args:
        connection: a published file, open.
        dimensions: names of ``DIMENSIONS`` to group by.
        days: whose costs are summed.
        previous: compared with them, if anything is.
        only: values of ``FILTERS``, to leave out all others.
        limit: groups; all others are put together in one row.

    Raises:
        QueryError: no table knows all of the dimensions together.
    """
    relation = _relation(dimensions)
    arguments: dict[str, Any] = dict.fromkeys(FILTERS) | dict(only or {})
    arguments |= {"first": days.first, "after": days.after, "limit": limit}
    arguments |= _before(previous)
    found = ask(connection, _query(relation, dimensions, previous is not None), arguments)
    *rows, total = (_named(row, len(dimensions), limit) for row in found.rows)
    notes = [*_empty(connection, rows, arguments), *_notes(connection, days, previous, arguments)]
    if relation != ATTRIBUTED and (arguments["team"] or _PAYING & set(dimensions)):
        notes.append("without the share of idle and shared cost, which --by team has")
    currency = published_status(connection).currency
    columns = found.columns[_LEADING:]
    return Costs(days, previous, currency, len(dimensions), columns, rows, total, notes)


def _relation(dimensions: Sequence[str]) -> str:
    """What holds all of them, to be selected from."""
    wanted = set(dimensions)
    if unknown := sorted(wanted - set(DIMENSIONS)):
        raise QueryError(f"costs are not kept by {unknown[0]}, but by {', '.join(DIMENSIONS)}")
    if wanted & _PAYING and wanted <= set(_OWNER):
        return ATTRIBUTED
    for dimension, common in _WITH.items():
        if dimension in wanted and wanted <= {*common, dimension}:
            known = _KNOWN[dimension]
            return _WITH_REST.format(dimension=dimension, known=known, common=", ".join(common))
    if wanted <= set(_WORKLOAD):
        return "costs.daily"
    raise QueryError(f"costs are not kept by {' and '.join(dimensions)} together")


def _query(relation: str, dimensions: Sequence[str], is_compared: bool) -> str:
    """Rows of the groups, of all others together, and of the sum of all, in this order.

    Before the columns that are shown stand the place of a group and how many groups a row sums.
    """
    measures = ("total_cost", *(_PARTS if relation == ATTRIBUTED else ()))
    names = ", ".join(dimensions)
    return _COSTS.format(
        relation=relation,
        names=names,
        measured=", ".join(f"coalesce(sum({it}) filter (is_now), 0) as {it}" for it in measures),
        shown=", ".join(f"if(row <= $limit, any_value({it}), null) as {it}" for it in dimensions),
        summed=", ".join(f"sum({it}) as {it}" for it in measures),
        compared=_COMPARED if is_compared else "",
    )


def _before(previous: Days | None) -> dict[str, Any]:
    return {
        "previous_first": previous and previous.first,
        "previous_after": previous and previous.after,
    }


def _named(row: tuple[Any, ...], width: int, limit: int) -> tuple[Any, ...]:
    """A row without its place; what sums several groups says so."""
    place, count, *values = row
    if place is None:
        return ("total", *("",) * (width - 1), *values[width:])
    if place > limit:
        return (f"({count} others)", *("",) * (width - 1), *values[width:])
    return tuple(values)


def _empty(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[Any], arguments: Mapping[str, Any]
) -> Iterator[str]:
    """Where there are no costs, of what, and which days have some."""
    if rows:
        return
    only = [f"{name} {arguments[name]}" for name in FILTERS if arguments[name] is not None]
    ((first, last),) = ask_file(connection, "cost_days").rows
    if only:
        yield f"these days have no costs of {', '.join(only)}"
    yield f"costs are known of {first} to {last}" if first else "no costs are known yet"


def _notes(
    connection: duckdb.DuckDBPyConnection,
    days: Days,
    previous: Days | None,
    arguments: Mapping[str, Any],
) -> Iterator[str]:
    """What a reader has to know of the days."""
    for counted, name in ((days, ""), (previous, " of those before")):
        if counted is None:
            continue
        ((count, first),) = ask_file(
            connection,
            "incomplete_days",
            {"first": counted.first, "after": counted.after, "cluster": arguments["cluster"]},
        ).rows
        if count == counted.count:
            yield f"incomplete: every day{name}"
        elif count:
            yield f"incomplete: {count} of {counted.count} days{name}, the first is {first}"
