"""Lookback: windows that it passes, and older days on request."""

from datetime import UTC, datetime

from finops_pipeline.units import DAY, HOUR, WINDOW, windows
from finops_pipeline_tests.state.windows import commit, window

TABLE = ["raw.asset"]
NOW = datetime(2026, 3, 20, tzinfo=UTC)


def statuses(state, start, end):
    by_start = {at: w for day in {at.date() for at in windows(start, end)}
                for (_, at), w in state.ledger.day(TABLE, "prod", day).items()}  # fmt: skip
    return [by_start[at].status if at in by_start else "none" for at in windows(start, end)]


def advance(state, start, at=NOW):
    state.lookback.advance(TABLE, "prod", start, at, "too old")


def test_windows_that_pass_the_lookback_are_lost_or_stay_as_they_were_read(state):
    start = NOW - 14 * DAY
    commit(state, window(start=start))
    commit(state, window(start=start + 2 * WINDOW, status="final", next_read_at=None))
    advance(state, start)

    advance(state, start + HOUR)

    assert statuses(state, start, start + HOUR + WINDOW) == [
        "final",
        "lost",
        "final",
        "lost",
        "none",
    ]


def test_windows_before_the_first_one_are_not_lost(state):
    start = NOW - 14 * DAY
    advance(state, start - HOUR)
    state.ledger.fail(TABLE, "prod", start, NOW, "503")

    advance(state, start + WINDOW)

    assert statuses(state, start - HOUR, start + WINDOW) == [*["none"] * 4, "lost"]


def test_a_lookback_that_is_moved_back_and_passes_again_loses_once_more(state):
    start = NOW - 14 * DAY
    advance(state, start)
    advance(state, start - 20 * DAY)
    state.ledger.fail(TABLE, "prod", start - 2 * DAY, NOW, "503")

    advance(state, start)

    assert statuses(state, start - 2 * DAY, start - 2 * DAY + WINDOW) == ["lost"]


def test_a_request_is_remembered_until_it_is_finished(state):
    start = NOW - 14 * DAY
    old, older, young = ((NOW - days * DAY).date() for days in (20, 30, 2))

    state.lookback.request(TABLE, [old, older, young], start, NOW)
    state.lookback.request(TABLE, [old], start, NOW)
    assert state.lookback.requested_days(TABLE) == {old, older}
    assert state.lookback.requested_days(["raw.price"]) == set()

    state.lookback.finish(TABLE, {old})
    assert state.lookback.requested_days(TABLE) == {older}


def test_lost_windows_of_a_requested_day_are_asked_for_again(state):
    start = NOW - 20 * DAY
    commit(state, window(start=start, status="final", next_read_at=None))
    state.ledger.lose(TABLE, "prod", start, start + HOUR, NOW, "forgotten")

    state.lookback.request(TABLE, [start.date()], NOW - 14 * DAY, NOW)

    assert statuses(state, start, start + HOUR) == ["final", "absent", "absent", "absent"]
    due = state.ledger.due(TABLE, "prod", NOW, start, start + HOUR)
    assert [window.reason for window in due] == ["missing"] * 3


def test_a_requested_day_stays_when_it_passes_the_lookback(state):
    start = NOW - 14 * DAY
    state.ledger.fail(TABLE, "prod", start, NOW, "503")
    advance(state, start)
    state.lookback.request(TABLE, [start.date()], start + HOUR, NOW)

    advance(state, start + HOUR)

    assert statuses(state, start, start + HOUR) == ["absent", "none", "none", "none"]
