"""The list of all tables."""

from datetime import UTC, datetime

from finops_pipeline.catalog.table_entries import table_entries
from finops_pipeline.catalog.tables import tables
from finops_pipeline_tests.sql.data import Data

SETTINGS = {"raw_days": 400, "quarter_hourly_days": 14, "container_days": 90}
HOUR = datetime(2026, 3, 1, 10, tzinfo=UTC)


def listed(data: Data) -> dict[str, dict[str, object]]:
    entries = table_entries(tables().values(), SETTINGS)
    data.connection.executemany(
        "insert into internal.catalog values (?, ?, ?, ?, ?, ?, ?)", entries
    )
    return {row["table_name"]: row for row in data.rows("from core.table")}


def test_every_table_is_listed_once(data):
    entries = listed(data)

    assert entries.keys() == tables().keys()
    assert len(data.rows("from core.table")) == len(entries)
    assert all(row["description"] and row["column_count"] for row in entries.values())


def test_an_entry_says_how_it_is_filled_and_how_far_back(data):
    entries = listed(data)

    how = {
        name: (row["kind"], row["grain_column"], row["kept_days"]) for name, row in entries.items()
    }
    assert how["raw.allocation"] == ("lake", "window_start", 400)
    assert how["costs.line_item"] == ("view", "window_start", 400)
    assert how["costs.quarter_hourly"] == ("incremental", "window_start", 14)
    assert how["costs.hourly"] == ("incremental", "hour", 400)
    assert how["costs.container_daily"] == ("incremental", "day", 90)
    assert how["costs.daily"] == ("incremental", "day", None)
    assert how["costs.monthly"] == ("view", "month", None)
    assert how["core.price_list"] == ("ledger", None, None)


def test_an_entry_says_how_fresh_it_is(data):
    for grain, slot in (("day", "2026-03-01"), ("hour", HOUR), ("hour", "2026-03-01 09:00:00+00")):
        data.connection.execute(
            "insert into internal.fingerprint values ('costs.hourly', $1, $2, 'x', $3)",
            [grain, slot, HOUR],
        )
    window = {"table_name": "raw.asset", "cluster": "prod", "fetched_at": "2026-03-01 12:00:00+00"}
    data.given(
        "core.window",
        {**window, "status": "final", "window_start": HOUR},
        {**window, "status": "absent", "window_start": "2026-03-01 11:00:00+00"},
    )

    entries = listed(data)

    assert (entries["costs.hourly"]["newest_start"], entries["costs.hourly"]["filled_at"]) == (
        HOUR,
        HOUR,
    )
    assert entries["raw.asset"]["newest_start"] == HOUR
    assert entries["raw.asset"]["filled_at"] == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (
        entries["costs.line_item"]["newest_start"]
        is entries["costs.line_item"]["filled_at"]
        is None
    )
