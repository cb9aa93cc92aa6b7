"""Lookback: how far back windows are asked for, and older days on request."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from itertools import product

from sqlalchemy import Column, Connection, Engine, delete, func, select

from finops_pipeline.state.connect import begin_writing, upsert
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.state.schedule import WindowStatus
from finops_pipeline.state.tables import ledger, lookback, requested_day
from finops_pipeline.state.window_statuses import window_statuses
from finops_pipeline.units import DAY, day_start, windows


class Lookback:
    """Start of the lookback, and requested days; each call is a transaction or a few."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        """Keep engine and ledger; ``open_state`` calls this."""
        self._engine = engine
        self._ledger = ledger

    def advance(
        self, table_names: Sequence[str], cluster: str, start: datetime, at: datetime, reason: str
    ) -> None:
        """Move the lookback on: ask no more for windows before it, unless their day is requested.

        Those never read are lost, those that were to be read again keep what was read.

        Args:
            table_names: what one source fills together.
            cluster: name of the cluster that it reads.
            start: first instant of what is still asked for, on the grid.
            at: instant of the commit.
            reason: why the others are lost.
        """
        with self._engine.connect() as connection:
            stored = _earliest(connection, lookback.c.start, table_names, cluster)
            first_try = _earliest(connection, ledger.c.window_start, table_names, cluster)
            # Windows before the first one that was ever tried are not lost: none was asked for.
            old_start = max(stored or first_try, first_try) if first_try else start
            statuses = window_statuses(connection, table_names, cluster, old_start, start)
        open_days = {at.date() for at in windows(old_start, start) if _is_open(statuses.get(at))}
        days_to_lose = open_days - self.requested_days(table_names)
        for day in sorted(days_to_lose):
            first, end = max(old_start, day_start(day)), min(start, day_start(day) + DAY)
            self._ledger.lose(table_names, cluster, first, end, at, reason)
        is_recent = stored is not None and stored <= start < stored + DAY
        if days_to_lose or not is_recent:  # not a commit more in each tick
            self._store(table_names, cluster, start)

    def requested_days(self, table_names: Sequence[str]) -> set[date]:
        """Return the UTC days that are asked for although they lie before the lookback."""
        query = select(requested_day.c.day).where(requested_day.c.table_name.in_(table_names))
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def request(
        self, table_names: Sequence[str], days: Collection[date], start: datetime, at: datetime
    ) -> None:
        """Ask for days, however old; lost windows are asked for again, final ones are not.

        Args:
            table_names: what one source fills together.
            days: UTC days.
            start: first instant of the lookback; later days are due anyway and not remembered.
            at: instant of the commit.
        """
        for day in sorted(days):
            self._ledger.reopen(table_names, day, at)
        older = [day for day in days if day_start(day) < start]
        rows = [
            {"table_name": name, "day": day, "requested_at": at}
            for name, day in product(table_names, older)
        ]
        if rows:
            with begin_writing(self._engine) as connection:
                upsert(connection, requested_day, rows, [])

    def finish(self, table_names: Sequence[str], days: Collection[date]) -> None:
        """Forget requests whose windows are all read or lost."""
        is_done = requested_day.c.table_name.in_(table_names), requested_day.c.day.in_(days)
        if days:
            with begin_writing(self._engine) as connection:
                connection.execute(delete(requested_day).where(*is_done))

    def _store(self, table_names: Sequence[str], cluster: str, start: datetime) -> None:
        place = {"cluster": cluster, "start": start}
        rows = [{"table_name": name, **place} for name in table_names]
        with begin_writing(self._engine) as connection:
            upsert(connection, lookback, rows, ["start"])


def _earliest(
    connection: Connection, instant: Column[datetime], table_names: Sequence[str], cluster: str
) -> datetime | None:
    query = select(func.min(instant)).where(
        instant.table.c.table_name.in_(table_names), instant.table.c.cluster == cluster
    )
    earliest: datetime | None = connection.execute(query).scalar()
    return earliest


def _is_open(status: WindowStatus | None) -> bool:
    return status is None or not status.is_read or status.next_read_at is not None
