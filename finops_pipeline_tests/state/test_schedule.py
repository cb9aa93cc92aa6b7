"""Schedule: when windows are read, in which order, and why."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.state.schedule import Due, Schedule, WindowStatus
from finops_pipeline.units import HOUR, WINDOW, windows

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)
END = TEN + WINDOW
MINUTE = timedelta(minutes=1)


def starts(due: list[Due]) -> list[str]:
    return [f"{window.window_start:%H:%M}" for window in due]


def test_a_window_is_read_again_after_an_hour_and_after_a_day_and_then_is_final():
    schedule = Schedule()

    assert schedule.next_reading(TEN, END + 5 * MINUTE) == END + HOUR
    assert schedule.next_reading(TEN, END + HOUR) == END + 24 * HOUR
    assert schedule.next_reading(TEN, END + 24 * HOUR) is None


def test_a_window_first_read_after_its_last_point_is_final_at_once():
    assert Schedule().next_reading(TEN, END + 400 * 24 * HOUR) is None


def test_a_cluster_whose_source_changes_later_has_one_reading_more():
    schedule = Schedule(last_rereads={"kubecost": 49 * HOUR})

    assert schedule.of_cluster("kubecost").next_reading(TEN, END + 24 * HOUR) == END + 49 * HOUR
    assert schedule.of_cluster("kubecost").next_reading(TEN, END + 49 * HOUR) is None
    assert schedule.of_cluster("opencost").next_reading(TEN, END + 24 * HOUR) is None


def test_a_window_is_not_due_before_it_has_settled():
    schedule = Schedule()
    range_ = TEN, TEN + HOUR

    assert schedule.due(END + 4 * MINUTE, {}, *range_) == []
    assert starts(schedule.due(END + 5 * MINUTE, {}, *range_)) == ["10:00"]


def test_the_newest_missing_window_is_served_first_then_gaps_then_readings_again():
    statuses = {
        TEN: WindowStatus(is_read=True, next_read_at=END + HOUR),
        TEN + WINDOW: WindowStatus(is_read=True, next_read_at=END + WINDOW + HOUR),
        TEN + 3 * WINDOW: WindowStatus(
            is_read=False, failure="503 Service Unavailable", failed_at=END
        ),
        TEN + 5 * WINDOW: WindowStatus(is_read=True),
    }

    due = Schedule().due(TEN + 2 * HOUR, statuses, TEN, TEN + 2 * HOUR)

    assert [(window.window_start, window.reason) for window in due] == [
        (TEN + 6 * WINDOW, "missing"),
        (TEN + 2 * WINDOW, "missing"),
        (TEN + 4 * WINDOW, "missing"),
        (TEN, "to be read again after 1 h"),
        (TEN + WINDOW, "to be read again after 1 h"),
        (TEN + 3 * WINDOW, "failed before: 503 Service Unavailable"),
    ]


def test_what_failed_before_comes_last_and_the_longest_untried_first():
    statuses = {
        TEN: WindowStatus(is_read=False, failure="refused", failed_at=END + 2 * HOUR),
        TEN + WINDOW: WindowStatus(is_read=False, failure="refused", failed_at=END + HOUR),
        TEN + 3 * WINDOW: WindowStatus(is_read=False, failure="refused", failed_at=END),
    }

    due = Schedule().due(TEN + HOUR + 5 * MINUTE, statuses, TEN, TEN + HOUR)

    # The newest is served first all the same: people look at it.
    assert starts(due) == ["10:45", "10:30", "10:15", "10:00"]


@given(
    tick_minutes=st.lists(st.integers(1, 3000), min_size=1, max_size=8),
    is_down=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_every_window_ends_final_after_any_failures(tick_minutes, is_down):
    schedule, now = Schedule(), TEN
    statuses: dict[datetime, WindowStatus] = {}
    range_ = TEN, TEN + 4 * HOUR

    def tick() -> None:
        for window in schedule.due(now, statuses, *range_):
            next_read_at = schedule.next_reading(window.window_start, now)
            statuses[window.window_start] = WindowStatus(is_read=True, next_read_at=next_read_at)

    for minutes, down in zip(tick_minutes, is_down, strict=False):
        now += minutes * MINUTE
        if not down:
            tick()
    for _ in range(3):
        now += 25 * HOUR
        tick()

    assert statuses == {at: WindowStatus(is_read=True) for at in windows(*range_)}
