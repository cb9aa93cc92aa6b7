from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.simulation import catalog, schedule
from finops_pipeline.simulation.schedule import DAY_MINUTES, Renewals, day_minute, instant, minute
from finops_pipeline_tests.simulation.conftest import ANCHOR, NOW

HISTORY = st.integers(min_value=-395 * DAY_MINUTES, max_value=30 * DAY_MINUTES)


def test_days_are_counted_from_the_anchor_on_the_quarter_hour():
    assert instant(day_minute(date(2026, 3, 10), -1.5)) == datetime(2026, 3, 8, 12, tzinfo=UTC)
    assert instant(minute(NOW + timedelta(seconds=59))) == NOW


@given(key=st.integers(0, 2**63), period=st.integers(30, 100_000), at=st.integers(0, 10**8))
def test_renewals_leave_no_gap(key, period, at):
    renewals = Renewals(key, period)
    number = renewals.number_at(at)

    assert renewals.start(number) <= at < renewals.start(number + 1)


_PLACES = schedule.places(catalog.build(), 7, ANCHOR)
_SLOTS = schedule.slots(catalog.build(), _PLACES, 7, ANCHOR)


@settings(max_examples=30)
@given(HISTORY)
def test_pods_of_a_window_are_those_of_any_window_around_it(offset):
    start = day_minute(ANCHOR, 0) + offset

    def lives(first: int, last: int) -> set[tuple[str, int, int]]:
        return {
            (pod.name, pod.start, pod.end)
            for slot in _SLOTS
            for pod in schedule.pods(slot, first, last)
            if pod.start < start + 15 and pod.end > start
        }

    assert lives(start, start + 15) == lives(start - 700, start + 900)


def test_a_slot_is_never_filled_twice(cluster):
    start = day_minute(ANCHOR, -9)
    for slot in cluster.slots:
        if slot.workload.kind != "cronjob":
            pods = list(schedule.pods(slot, start, start + 9 * DAY_MINUTES))
            assert all(a.end <= b.start for a, b in zip(pods, pods[1:], strict=False))


def test_pods_lie_inside_the_life_of_their_node(cluster):
    start = day_minute(ANCHOR, -9)
    pods = cluster.pods(start, start + 9 * DAY_MINUTES)

    assert len(pods) > 1000
    assert [pod.name for pod in pods if not pod.node.start <= pod.start < pod.end] == []
    assert [pod.name for pod in pods if pod.end > pod.node.end] == []


def test_running_pods_have_different_names(cluster):
    for days in range(-30, 0, 3):
        at = day_minute(ANCHOR, days) + 607
        names = [(pod.slot.workload.namespace, pod.name) for pod in cluster.pods(at, at + 1)]
        assert len(names) == len(set(names))


def test_deployments_roll_out_and_their_pods_change_name(cluster):
    slot = next(slot for slot in cluster.slots if slot.workload.name == "web")
    start = day_minute(ANCHOR, -30)
    pods = list(schedule.pods(slot, start, start + 30 * DAY_MINUTES))

    assert len({pod.template_hash for pod in pods}) >= 3
    assert len({pod.name for pod in pods}) == len(pods)


def test_too_few_machines_are_an_error_and_not_an_oversold_node():
    few = catalog.Catalog(
        pools=(catalog.NodePool("general", "small", 1, 1, 0.03, 0.004),),
        machines=(catalog.Machine("general", "a"),),
        namespaces=(),
        workloads=(
            catalog.Workload("a", "big", "pod", (catalog.Container("c", 2.0, 1.0, 64, 32),)),
        ),
        loose_volumes=(),
        load_balancers=(),
        autoscalers=(),
    )

    with pytest.raises(ValueError, match="no general machine has room for big"):
        schedule.slots(few, schedule.places(few, 7, ANCHOR), 7, ANCHOR)
