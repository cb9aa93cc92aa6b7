"""The calendar, against what Python's own says."""

import calendar
from datetime import date, timedelta

import pytest

from finops_pipeline.catalog.tables import tables

FIRST, LAST = date(2020, 1, 1), date(2050, 12, 31)


def days_of(data, start_month: int):
    query = (tables()["core.calendar"].query or "").rstrip(";")
    return data.rows(f"{query} order by day", {"fiscal_year_start_month": start_month})


@pytest.mark.parametrize("start_month", [1, 4, 10, 12])
def test_every_day_from_2020_to_2050_is_where_it_belongs(data, start_month):
    rows = days_of(data, start_month)

    assert [row["day"] for row in rows] == [
        FIRST + timedelta(days) for days in range((LAST - FIRST).days + 1)
    ]
    assert rows == [expected(row["day"], start_month) for row in rows]


def expected(day: date, start_month: int):
    begins = date(day.year if day.month >= start_month else day.year - 1, start_month, 1)
    months = (day.year - begins.year) * 12 + day.month - begins.month
    return {
        "day": day,
        "month": day.replace(day=1),
        "quarter": date(day.year, 3 * ((day.month - 1) // 3) + 1, 1),
        "year": day.year,
        "fiscal_year": begins.year if start_month == 1 else begins.year + 1,
        "fiscal_quarter": months // 3 + 1,
        "fiscal_month": months + 1,
        "weekday": day.isoweekday(),
        "day_count": calendar.monthrange(day.year, day.month)[1],
        "is_weekend": day.weekday() >= 5,
    }


def test_the_calendar_is_filled_as_a_table(data):
    assert len(data.fill("core.calendar")) == 11_323
