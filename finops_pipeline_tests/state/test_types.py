"""Instants and decimals come back from the database as they went in."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.dialects import sqlite

from finops_pipeline.state.types import Exact, Instant

DIALECT = sqlite.dialect()


def test_an_instant_is_kept_in_utc():
    in_india = datetime(2026, 3, 1, 5, 30, tzinfo=ZoneInfo("Asia/Kolkata"))

    assert Instant().process_bind_param(in_india, DIALECT) == datetime(2026, 3, 1, tzinfo=UTC)
    assert Instant().process_result_value(datetime(2026, 3, 1), DIALECT) == in_india  # noqa: DTZ001


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        Instant().process_bind_param(datetime(2026, 3, 1), DIALECT)  # noqa: DTZ001


@pytest.mark.parametrize("value", ["0", "-0.0000000001", "123456789012345678.0123456789"])
def test_a_decimal_keeps_every_digit(value):
    stored = Exact().process_bind_param(Decimal(value), DIALECT)

    assert Exact().process_result_value(stored, DIALECT) == Decimal(value)


def test_a_decimal_with_more_than_ten_places_is_refused():
    with pytest.raises(ValueError, match="more than 10 places"):
        Exact().process_bind_param(Decimal("0.00000000001"), DIALECT)
