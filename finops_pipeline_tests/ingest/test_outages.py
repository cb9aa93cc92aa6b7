"""Stops of the platform and of its sources: what comes back, in which order, and what is lost."""

from datetime import UTC, datetime, timedelta

import pytest

from finops_pipeline.ingest.windows import request
from finops_pipeline.units import DAY, HOUR, WINDOW, window_start, windows
from finops_pipeline_tests.installation.pretended import TABLE, Costs, World, down, world

STOPPED = datetime(2026, 3, 20, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTLE = 5 * MINUTE
SHARE = timedelta(seconds=480 / 2)  # of two sources that are asked
ANSWER_SECONDS = 2.0
LOOKBACK = 14 * DAY
OUTAGES = [HOUR, DAY, LOOKBACK]


def newest(at: datetime) -> datetime:
    """Return the newest window that has settled."""
    return window_start(at - SETTLE) - WINDOW


def read_before_the_stop(system: World) -> None:
    """Make the platform read the hour before the stop."""
    system.tick(STOPPED - HOUR, STOPPED)
    system.seconds = ANSWER_SECONDS
    system.requests.clear()


def ticks_until_filled(system: World, start: datetime, end: datetime) -> int:
    """Tick every 15 minutes until nothing is missing of a range; how often that was."""
    for count in range(1, 100):
        began, asked_before = system.clock(), len(system.requests)
        system.tick()
        assert system.clock() - began <= SHARE + timedelta(seconds=ANSWER_SECONDS)
        assert newest(began) in [window for window, _ in system.requests[: asked_before + 1]]
        system.clock.now = began + WINDOW
        if not system.statuses(start, end) & {"none", "absent"}:
            return count
    raise AssertionError("still missing after 100 ticks")


def assert_the_newest_window_waits_for_four_others_at_most(system: World) -> None:
    newest_windows: set[datetime] = set()
    others = 0
    for window, at in system.requests:
        others = 0 if window == newest(at) or newest(at) in newest_windows else others + 1
        newest_windows.add(window)
        assert others <= 4, at


@pytest.mark.parametrize("outage", OUTAGES, ids=str)
def test_after_a_stop_of_the_platform_every_window_is_back_and_the_newest_first(outage):
    with world(STOPPED + 5 * MINUTE) as system:
        read_before_the_stop(system)
        # Windows settle at :05, in the middle of these ticks.
        system.clock.now = STOPPED + outage + 3 * MINUTE

        ticks_until_filled(system, STOPPED, STOPPED + outage - 2 * WINDOW)

        (first, began), *others = [
            (window, at) for window, at in system.requests if at < STOPPED + outage + WINDOW
        ]
        gaps = [window for window, at in others if window not in {newest(at), first}]
        assert first == newest(began)
        assert gaps == sorted(gaps)
        assert_the_newest_window_waits_for_four_others_at_most(system)


@pytest.mark.parametrize(("outage", "ticks"), [(HOUR, 4), (DAY, 96), (LOOKBACK, 56)], ids=str)
def test_after_a_stop_of_a_source_every_window_is_back(outage, ticks):
    with world(STOPPED + 5 * MINUTE) as system:
        read_before_the_stop(system)
        say, system.say = system.say, down
        for _ in range(ticks):
            system.clock.now += outage / ticks
            system.tick()
        system.clock.now = STOPPED + outage + 5 * MINUTE
        assert len(system.requests) == ticks  # a source that is gone is asked once a tick
        system.requests.clear()
        system.say = say

        ticks_until_filled(system, STOPPED, STOPPED + outage)

        assert_the_newest_window_waits_for_four_others_at_most(system)


def test_what_is_older_than_the_lookback_or_the_memory_of_the_source_is_lost():
    def forgetful(window: datetime, at: datetime) -> Costs:
        return [1.0] if at - window < 10 * DAY else []

    with world(STOPPED + 5 * MINUTE) as system:
        read_before_the_stop(system)
        system.say = forgetful
        back = STOPPED + 20 * DAY
        system.clock.now = back + 5 * MINUTE

        ticks_until_filled(system, STOPPED, back)

        ledger_windows = system.windows(STOPPED, back)
        lookback, memory = back - LOOKBACK, back - 10 * DAY
        too_old = {ledger_windows[at].reason for at in windows(STOPPED, lookback)}
        assert system.statuses(STOPPED, lookback) == {"lost"}
        assert too_old == {"not read before it was too old to be asked for (ingest.lookback_days)"}
        assert system.statuses(lookback, memory) == {"lost"}
        assert "has forgotten it" in str(ledger_windows[lookback].reason)
        assert system.statuses(memory + 4 * HOUR, back) == {"provisional", "final"}
        system.requests.clear()
        system.tick()
        assert [window for window, _ in system.requests if window < memory] == []


def test_a_window_that_was_to_be_read_again_stays_as_it_was_read():
    with world(STOPPED + 5 * MINUTE) as system:
        read_before_the_stop(system)
        system.clock.now += 15 * DAY
        system.tick()

        assert system.statuses(STOPPED - HOUR, STOPPED) == {"final"}


def test_an_empty_window_in_time_is_refused_and_lost_when_later_ones_have_rows():
    silent = STOPPED + WINDOW
    with world(STOPPED + 5 * MINUTE) as system:
        read_before_the_stop(system)
        system.say = lambda window, _at: [] if window == silent else [1.0]
        for _ in range(4):
            system.clock.now += WINDOW
            system.tick()
        assert system.statuses(silent, silent + WINDOW) == {"absent"}

        system.seconds = 0
        system.clock.now += DAY
        system.tick()

        (window,) = system.windows(silent, silent + WINDOW).values()
        assert (window.status, window.row_count) == ("lost", None)


# Requests


def test_thirty_requested_days_are_read_over_many_ticks_and_the_newest_window_does_not_wait():
    today = STOPPED.date()
    days = [today - step * DAY for step in range(1, 31)]
    first = datetime(days[-1].year, days[-1].month, days[-1].day, tzinfo=UTC)
    with world(STOPPED + 5 * MINUTE) as system:
        read_before_the_stop(system)
        request(system.source, system.installation, days)
        system.tick(first, first + 30 * DAY)  # the run of the backfill
        backfilled = len(system.requests)
        assert backfilled <= SHARE / timedelta(seconds=ANSWER_SECONDS) + 1

        system.clock.now = STOPPED + WINDOW + 5 * MINUTE
        ticks_until_filled(system, first, STOPPED)

        final = [at for at in windows(first, STOPPED - DAY)]
        requested_windows = [window for window, _ in system.requests]
        assert [requested_windows.count(at) for at in final] == [1] * len(final)
        del system.requests[:backfilled]
        assert_the_newest_window_waits_for_four_others_at_most(system)
        system.tick()
        assert system.installation.state.lookback.requested_days([TABLE]) == set()


def test_a_request_asks_again_for_lost_windows_and_not_for_final_ones():
    memory = HOUR

    def remembering(window: datetime, at: datetime) -> Costs:
        return [1.0] if at - window < memory else []

    with world(STOPPED + 5 * MINUTE) as system:
        system.say = remembering
        system.tick(STOPPED - 3 * DAY, STOPPED)
        day = (STOPPED - 2 * DAY).date()
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        assert system.statuses(start, start + DAY) == {"lost"}
        memory = 400 * DAY

        request(system.source, system.installation, [day])
        system.tick()
        assert system.statuses(start, start + DAY) == {"final"}

        system.requests.clear()
        request(system.source, system.installation, [day])
        system.tick()
        assert system.requests == []


def test_windows_of_a_requested_day_are_not_given_up():
    day = STOPPED - 20 * DAY
    with world(STOPPED + 5 * MINUTE) as system:
        read_before_the_stop(system)
        system.say = down
        request(system.source, system.installation, [day.date()])
        system.tick()
        system.clock.now += 15 * DAY
        system.tick()
        start = day.replace(hour=0)
        assert system.installation.state.lookback.requested_days([TABLE]) == {day.date()}

        system.say = lambda _window, _at: [1.0]
        system.seconds = 0
        system.tick()

        assert system.statuses(start, start + DAY) == {"final"}
