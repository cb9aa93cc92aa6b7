"""A year of a cluster of 2,000 containers, 70 million windows of containers: ``make year``.

Each question is asked of the daily tables and, in turns, of the raw rows in Parquet: warm, with two
threads. Raw rows and daily tables are made up by SQL, the tables with the repository's own
``create table``; months are its own views. It takes 2 GB of disk and some minutes.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from bench.figures import print_figure
from finops_pipeline.catalog.tables import tables

CONTAINERS = 2_000
DAYS = 365
FIRST = date(2025, 1, 1)
ROUNDS = 7
TABLES = ["core.calendar", "costs.daily", "costs.attributed_daily"]
VIEWS = [
    "costs.complete_daily",
    "costs.complete_monthly",
    "costs.owner_monthly",
    "costs.team_monthly",
]
# A workload has four containers, a namespace ten workloads, a team two or three namespaces.
WINDOWS_OF_DAY = f"""
    select 'prod' as cluster, timestamptz '{{day}} 00:00:00+00' + q * interval 15 minutes
            as window_start,
        'namespace-' || n % 50 as namespace, 'workload-' || n % 500 as workload,
        '{{{{"app":"workload-' || n % 500 || '","team":"team-' || n % 20 || '"}}}}' as labels,
        0.01 + (n * 7919 + q * 104729) % 1000 / 1000 as cpu_usage_cores,
        0.0001 + (n * 31 + q) % 97 / 100000 as source_total_cost
    from range(96) as quarter(q), range({CONTAINERS}) as container(n)
"""
DAILY = f"""
    insert into costs.daily by name
    select date '{FIRST}' + d::integer as day, 'prod' as cluster,
        'namespace-' || w % 50 as namespace, 'Deployment' as workload_kind,
        'workload-' || w as workload, 'workload' as cost_kind,
        'team-' || w % 20 as team, 'prod' as environment, 'unattributed' as project,
        'unattributed' as cost_center, 'pod label team' as team_rule, 'none' as environment_rule,
        'none' as project_rule, 'none' as cost_center_rule,
        0.5 + w % 7 * 0.1 as cpu_cost, 0.2 as memory_cost, 0 as gpu_cost, 0 as storage_cost,
        0 as network_cost, 0 as load_balancer_cost, 0 as shared_cost,
        0.7 + w % 7 * 0.1 as total_cost, 96 as window_count
    from range({DAYS}) as day(d), range(500) as workload(w)
"""
ATTRIBUTED = """
    insert into costs.attributed_daily by name
    select day, cluster, team, environment, project, cost_center, namespace,
        sum(total_cost) as direct_cost, 0 as idle_cost, 0 as shared_cost,
        sum(total_cost) as total_cost, 96 as window_count
    from costs.daily
    group by all
"""
CALENDAR = {"fiscal_year_start_month": 1}
MONTH = "window_start >= '2025-06-01 00:00:00+00' and window_start < '2025-07-01 00:00:00+00'"
FORTNIGHT = "window_start >= '2025-12-18 00:00:00+00'"
# Name, question to the daily tables (or to the windows), the same to the raw rows, and the goal.
QUESTIONS = [
    (
        "month_by_team",
        "select team, sum(total_cost) from costs.attributed_daily"
        " where day >= '2025-06-01' and day < '2025-07-01' group by all",
        f"select labels ->> 'team', sum(source_total_cost) from windows where {MONTH} group by all",
        10,
    ),
    (
        "year_daily_trend",
        "select day, sum(total_cost) from costs.daily group by day order by day",
        "select cast(window_start as date) as day, sum(source_total_cost) from windows"
        " group by day order by day",
        20,
    ),
    (
        "year_by_team_and_month",
        "select month, team, total_cost from costs.team_monthly order by all",
        "select date_trunc('month', window_start), labels ->> 'team', sum(source_total_cost)"
        " from windows group by all order by all",
        60,
    ),
    (
        "p95_by_workload_14_days",
        "select namespace, workload, quantile_cont(cpu_usage_cores, 0.95) from windows"
        f" where {FORTNIGHT} group by all",
        None,
        400,
    ),
]


def main() -> None:
    """Print one line per figure."""
    with TemporaryDirectory() as folder, history(Path(folder)) as connection:
        for name, rolled_up, raw, goal in QUESTIONS:
            of_rollup, of_raw = medians(connection, rolled_up, raw)
            print_figure(f"{name}_milliseconds", of_rollup, goal)
            if of_raw:
                print_figure(f"{name}_ratio_to_raw_rows", of_rollup / of_raw, 1)


@contextmanager
def history(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Make a database of the daily tables and a view of the raw rows."""
    with duckdb.connect(str(folder / "year.duckdb"), config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for number in range(DAYS):
            query = WINDOWS_OF_DAY.format(day=FIRST + timedelta(days=number))
            connection.execute(
                f"copy ({query}) to '{folder}/{number:03}.parquet' (compression zstd)"
            )
        connection.execute(f"create view windows as from read_parquet('{folder}/*.parquet')")
        for name in [*TABLES, *VIEWS]:
            connection.execute(f"create schema if not exists {tables()[name].schema}")
            connection.execute(tables()[name].ddl)
        connection.execute(
            f"insert into core.calendar by name {tables()[TABLES[0]].query}", CALENDAR
        )
        connection.execute(DAILY)
        connection.execute(ATTRIBUTED)
        connection.execute("checkpoint")
        yield connection


def medians(
    connection: duckdb.DuckDBPyConnection, rolled_up: str, raw: str | None
) -> tuple[float, float | None]:
    """Return the milliseconds of both, asked in turns; the first round warms up."""
    rounds = [
        (_milliseconds(connection, rolled_up), raw and _milliseconds(connection, raw))
        for _ in range(ROUNDS)
    ][1:]
    raw_times = [milliseconds for _, milliseconds in rounds if milliseconds]
    median = statistics.median(milliseconds for milliseconds, _ in rounds)
    return median, statistics.median(raw_times) if raw_times else None


def _milliseconds(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    before = time.perf_counter()
    connection.execute(query).fetchall()
    return (time.perf_counter() - before) * 1000


if __name__ == "__main__":
    main()
