"""Column types that mean the same on SQLite and PostgreSQL: instants and exact decimals."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

_LAST_DIGIT = Decimal("1e-10")  # of every cost, decimal(28, 10)


class Instant(TypeDecorator[datetime]):
    """Instant in UTC. SQLite forgets the zone and would hand back naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they do not say which instant they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC, whichever zone the connection has."""
        if value is None:
            return None
        stored: datetime = value
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """Decimal with 10 places, kept as text: SQLite's Numeric goes through a float."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write a text with exactly 10 places; more would be lost silently, so they raise."""
        if value is None:
            return None
        if value != value.quantize(_LAST_DIGIT):
            raise ValueError(f"{value} has more than 10 places")
        return f"{value:.10f}"

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the decimal as it was stored."""
        return None if value is None else Decimal(value)
