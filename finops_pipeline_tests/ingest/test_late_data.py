"""Sources that change their mind until they are read for the last time."""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from finops_pipeline.installation.recording import record
from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.units import DAY, HOUR, WINDOW, windows
from finops_pipeline_tests.installation.pretended import TABLE, Costs, World, reading, world

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
END = MIDNIGHT + 3 * WINDOW
MINUTE = timedelta(minutes=1)
LAST_CHANGE = 24 * 60 - 1  # the minute before the last reading

History = list[tuple[int, Costs]]  # age of a window [minutes], and what is said of it from then on

COSTS = st.lists(
    st.none() | st.integers(-100_000, 10**9).map(lambda n: n / 1e5), min_size=1, max_size=3
)
CHANGES = st.lists(st.tuples(st.integers(1, LAST_CHANGE), COSTS), max_size=3)
HISTORIES = st.lists(
    st.tuples(COSTS, CHANGES).map(lambda drawn: [(0, drawn[0]), *sorted(drawn[1], key=age)]),
    min_size=3,
    max_size=3,
)
TICKS = st.lists(st.integers(1, 600), min_size=1, max_size=6)  # minutes from one to the next


def age(change: tuple[int, Costs]) -> int:
    return change[0]


def answer(histories: list[History], window: datetime, at: datetime) -> Costs:
    """Return what a source says of a window at an instant."""
    history = histories[(window - MIDNIGHT) // WINDOW]
    place = bisect_right(history, (at - window - WINDOW) // MINUTE, key=age)
    return history[place - 1][1]


@profile(max_examples=100)
@given(histories=HISTORIES, ticks=TICKS)
def test_the_last_answer_of_a_source_counts_and_every_change_is_recorded(histories, ticks):
    first: dict[datetime, Decimal | None] = {}
    with world(MIDNIGHT + 20 * MINUTE) as system:
        system.say = lambda window, at: answer(histories, window, at)
        for minutes in [0, *ticks]:
            system.clock.now += minutes * MINUTE
            system.tick(MIDNIGHT, END)
            ledger_windows = system.windows(MIDNIGHT, END)
            first = {at: window.total for at, window in ledger_windows.items()} | first
        system.clock.now = max(system.clock.now, END + DAY)
        system.tick(MIDNIGHT, END)
        ledger_windows = system.windows(MIDNIGHT, END)
        first = {at: window.total for at, window in ledger_windows.items()} | first

        assert {at: (w.status, w.content_sha256) for at, w in ledger_windows.items()} == {
            at: ("final", content_sha256(reading(at, at, costs[-1][1]).tables[TABLE]))
            for at, costs in zip(windows(MIDNIGHT, END), histories, strict=True)
        }
        assert add_up_changes(system, first) == {
            at: window.total for at, window in ledger_windows.items()
        }
        assert_equal_readings_change_nothing(system, histories)


def add_up_changes(
    system: World, first: Mapping[datetime, Decimal | None]
) -> dict[datetime, Decimal]:
    """Add up what each window said first, and every change since."""
    with system.installation.state.snapshot() as contents:
        changes = contents.restatements(MIDNIGHT, END).to_pylist()
    totals = {at: total or Decimal(0) for at, total in first.items()}
    for change in changes:
        totals[change["window_start"]] += change["new_total"] - change["old_total"]
    return totals


def assert_equal_readings_change_nothing(system: World, histories: list[History]) -> None:
    """Assert that no file, hash or restatement changes, and that nothing is asked for."""
    for _ in range(2):  # the day becomes one file, the others are deleted
        system.clock.now += 3 * DAY
        system.tick(MIDNIGHT, END)
    before, request_count = everything(system), len(system.requests)
    system.clock.now += HOUR
    system.tick(MIDNIGHT, END)
    assert (everything(system), len(system.requests)) == (before, request_count)

    again = [
        reading(at, system.clock(), costs[-1][1])
        for at, costs in zip(windows(MIDNIGHT, END), histories, strict=True)
    ]
    record(system.installation.lake, system.installation.state.ledger, again)
    assert everything(system) == before


def everything(system: World) -> tuple[object, ...]:
    with system.installation.state.snapshot() as contents:
        return (
            contents.day_hashes(),
            contents.hour_hashes(MIDNIGHT),
            contents.restatements(MIDNIGHT, END),
            contents.current_files(TABLE, MIDNIGHT, END),
            sorted(system.installation.lake.paths()),
        )
