"""Tests of the windows in which a state of an object held."""

from datetime import datetime
from typing import Any

from finops_pipeline.sources.kubernetes.tables import STATES
from finops_pipeline_tests.sql.data import Data

POD = {"cluster": "prod", "uid": "p", "name": "web-0", "created_at": "2026-03-01 09:05:00+00"}


def at(clock: str) -> str:
    return f"2026-03-01 {clock}:00+00"


def intervals(data: Data, kind: str = "pod") -> list[tuple[Any, ...]]:
    """Interval, window of the raw row, and whether it is assumed."""
    rows = data.rows(f"from core.object where kind = '{kind}' order by valid_from")
    return [
        (
            clock(row["valid_from"]),
            clock(row["valid_until"]),
            clock(row["window_start"]),
            row["is_assumed"],
        )
        for row in rows
    ]


def clock(instant: datetime | None) -> str | None:
    return f"{instant:%H:%M}" if instant else None


def test_a_state_holds_until_the_next_one_and_a_deletion_ends_it(data):
    data.given(
        "raw.pod",
        {**POD, "window_start": at("10:00"), "phase": "Pending"},
        {**POD, "window_start": at("10:30"), "phase": "Running"},
        {**POD, "window_start": at("11:00"), "phase": "Running", "is_deleted": True},
    )

    assert intervals(data) == [
        ("09:00", "10:00", "10:00", True),
        ("10:00", "10:30", "10:00", False),
        ("10:30", "11:00", "10:30", False),
    ]


def test_what_is_not_gone_still_holds(data):
    data.given("raw.pod", {**POD, "window_start": at("10:00")})

    assert intervals(data)[-1] == ("10:00", None, "10:00", False)


def test_only_the_first_reading_of_a_kind_is_assumed_backwards(data):
    data.given(
        "raw.pod",
        {**POD, "window_start": at("10:00"), "created_at": at("10:00")},
        {**POD, "uid": "q", "window_start": at("10:15")},
    )
    data.given("raw.node", {**POD, "window_start": at("10:15")})

    assert [row for row in intervals(data) if row[3]] == []
    assert intervals(data, "node")[0] == ("09:00", "10:15", "10:15", True)


def test_the_containers_of_a_template_are_one_state(data):
    data.given(
        "raw.pod_template",
        {**POD, "window_start": at("10:00"), "container": "a"},
        {**POD, "window_start": at("10:00"), "container": "b"},
        {**POD, "window_start": at("10:15"), "container": "a"},
    )

    assert [row for row in intervals(data, "pod_template") if not row[3]] == [
        ("10:00", "10:15", "10:00", False),
        ("10:15", None, "10:15", False),
    ]


def test_every_table_of_states_is_in_it(data):
    for name in STATES:
        data.given(name, {**POD, "window_start": at("10:00")})

    kinds = {row["kind"] for row in data.rows("from core.object")}
    assert kinds == {name.removeprefix("raw.") for name in STATES}
