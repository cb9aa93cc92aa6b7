"""How far back windows are asked for: a lookback that moves on, and older days on request."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from itertools import product

from sqlalchemy import Column, Connection, Engine, delete, func, select

from finops_pipeline.state.connect import upsert, writing
from finops_pipeline.state.known_windows import known_windows
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.state.schedule import KnownWindow
from finops_pipeline.state.tables import ledger, lookback, requested_day
from finops_pipeline.units import DAY, day_start, windows


class Lookback:
    """What may still be asked for; each call is a transaction or a few."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        """Made by ``open_state``."""
        self._engine = engine
        self._ledger = ledger

    def move(
        self, table_names: Sequence[str], cluster: str, start: datetime, at: datetime, reason: str
    ) -> None:
        """Ask no more for windows before an instant, unless their day is requested.

        Those never read are lost, those that were to be read again keep what was read.

        Args:
            table_names: what one source fills together.
            cluster: whose.
            start: first instant of what is still asked for, on the grid.
            at: when.
            reason: why the others are lost.
        """
        with self._engine.connect() as connection:
            remembered = _least(connection, lookback.c.start, table_names, cluster)
            tried = _least(connection, ledger.c.window_start, table_names, cluster)
            # What lies before the first window that was ever tried is nobody's loss.
            passed = max(remembered or tried, tried) if tried else start
            known = known_windows(connection, table_names, cluster, passed, start)
        kept = self.requested(table_names)
        left = {at.date() for at in windows(passed, start) if _is_open(known, at)} - kept
        for day in sorted(left):
            first, end = max(passed, day_start(day)), min(start, day_start(day) + DAY)
            self._ledger.lose(table_names, cluster, first, end, at, reason)
        is_recent = remembered is not None and remembered <= start < remembered + DAY
        if left or not is_recent:  # not a commit more in each tick
            self._remember(table_names, cluster, start)

    def requested(self, table_names: Sequence[str]) -> set[date]:
        """UTC days that are asked for although they lie before the lookback."""
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
            start: of the lookback; days behind it are asked for anyway and not remembered.
            at: when.
        """
        for day in sorted(days):
            self._ledger.reopen(table_names, day, at)
        older = [day for day in days if day_start(day) < start]
        rows = [
            {"table_name": name, "day": day, "requested_at": at}
            for name, day in product(table_names, older)
        ]
        if rows:
            with writing(self._engine) as connection:
                upsert(connection, requested_day, rows, [])

    def finish(self, table_names: Sequence[str], days: Collection[date]) -> None:
        """Forget requests whose windows are all read or lost."""
        is_done = requested_day.c.table_name.in_(table_names), requested_day.c.day.in_(days)
        if days:
            with writing(self._engine) as connection:
                connection.execute(delete(requested_day).where(*is_done))

    def _remember(self, table_names: Sequence[str], cluster: str, start: datetime) -> None:
        place = {"cluster": cluster, "start": start}
        rows = [{"table_name": name, **place} for name in table_names]
        with writing(self._engine) as connection:
            upsert(connection, lookback, rows, ["start"])


def _least(
    connection: Connection, instant: Column[datetime], table_names: Sequence[str], cluster: str
) -> datetime | None:
    query = select(func.min(instant)).where(
        instant.table.c.table_name.in_(table_names), instant.table.c.cluster == cluster
    )
    found: datetime | None = connection.execute(query).scalar()
    return found


def _is_open(known: Mapping[datetime, KnownWindow], at: datetime) -> bool:
    return at not in known or not known[at].is_read or known[at].next_read_at is not None
